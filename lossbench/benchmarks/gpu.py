"""How fast training is on a GPU, in parts that are measured one after another.

The parts are those of `PARTS`. Each is a benchmark of its own, so that what is measured is kept when a later
part fails or the time of a machine is over. Only steps are timed alternately; trainings follow each other.
"""

from __future__ import annotations

import math
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import torch
from torch.profiler import ProfilerActivity, profile

from ..errors import RunError, UsageError
from ..files import plain
from ..runs.config import DEFAULT_NETWORK
from ..runs.config_builder import make_config
from ..runs.store import Store
from ..statistics import mean_interval
from ..tables import Table, number_text
from ..training.device import describe_machine, resolve_device
from ..training.process import Placement
from . import train
from ._timing import Task, synchronize, time_alternately, timing
from ._trainers import STEPS, make_trainer, recorded_steps, single_steps, train_once, weight_differences
from .result import Benchmark, machine_text

PACKS = (1, 4, 8, 16, 32)
MIXED = ("softmax", "center", "arcface", "cosface", "triplet", "circle", "oim", "supcon")
_EQUAL_STEPS = 50  # after which the weights of runs that trained together and alone are compared
_KERNELS = 12  # rows of a profile
_TESTS = Path(__file__).parents[2] / "tests"  # of a checkout


def measure(parts: Sequence[str] | None, *, repeats: int, placement: Placement) -> Iterator[Benchmark]:
    """Measure the parts; None is all of them, but the tests only in a checkout.

    Raises UsageError for an unknown part, and where there is no GPU; DataError, RunError.
    """
    for name in parts or ():
        if name not in PARTS:
            raise UsageError(f"--parts {name} is not one of {', '.join(PARTS)}.")
    if not torch.cuda.is_available():
        raise UsageError("This machine has no usable CUDA device, which `bench gpu` measures.")
    for name in parts or PARTS:
        if parts or name != "tests" or _TESTS.is_dir():
            yield PARTS[name](repeats, placement)


def tests(repeats: int, placement: Placement) -> Benchmark:  # noqa: ARG001
    """The tests marked `gpu`. Raises RunError where this is not a checkout, or pytest is missing."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [sys.executable, "-m", "pytest", "-n", "0", "-m", "gpu", f"--junitxml={report}"]
        subprocess.run([*command, str(_TESTS)], stdout=subprocess.DEVNULL, check=False, cwd=_TESTS.parent)
        if not report.exists():
            raise RunError("pytest wrote no report; --parts tests needs a checkout, and pytest with xdist.")
        counts = {
            name: sum(int(suite.get(name, 0)) for suite in ElementTree.parse(report).iter("testsuite"))
            for name in ("tests", "failures", "errors", "skipped")
        }
    rows = [[str(count) for count in counts.values()]]
    return _benchmark("gpu tests", placement, list(counts), rows, "`pytest -m gpu tests`.", counts)


def networks(repeats: int, placement: Placement) -> Benchmark:
    """One run of each network, compared with plain PyTorch and with a large matrix product."""
    return train.measure(repeats=repeats, threads=[1], placement=placement)._replace(heading="gpu networks")


def graphs(
    repeats: int, placement: Placement, names: Sequence[str] = (DEFAULT_NETWORK, "lenet++")
) -> Benchmark:
    """Steps launched one kernel after another, and recorded; and the same with a compiled network."""
    header = ["network", "one kernel after another (ms)", "graph (ms)", "compiled network, graph (ms)"]
    header += ["network by reduce-overhead (ms)", "compilation (s)"]
    rows, data = [], []
    for name in names:
        config = make_config(network=name)
        plain_trainer, recorded, compiled, reduced = (make_trainer(config, placement) for _ in range(4))
        began = time.perf_counter()
        compiled.network = torch.compile(compiled.network)  # type: ignore[assignment]
        compiled.step()
        synchronize(compiled.device)
        compilation = time.perf_counter() - began
        reduced.network = torch.compile(reduced.network, mode="reduce-overhead")  # type: ignore[assignment]
        tasks = [single_steps(t) for t in (plain_trainer, reduced)] + [
            recorded_steps([t]) for t in (recorded, compiled)
        ]
        eager, overhead, graph, both = (
            timing([1000 * s / STEPS for s in column])
            for column in time_alternately(tasks, repeats, device=recorded.device, warm_up=4)
        )
        numbers = (eager.median, graph.median, both.median, overhead.median)
        rows.append([name, *(number_text(value, 3) for value in numbers), number_text(compilation, 1)])
        data.append({"network": name, "times": [eager, graph, both, overhead], "compilation": compilation})
    text = "`torch.compile` with its defaults, and with mode reduce-overhead of the network alone."
    return _benchmark("gpu graphs", placement, header, rows, text, {"networks": data}, repeats)


def packs(repeats: int, placement: Placement, sizes: Sequence[int] = PACKS) -> Benchmark:
    """Runs of different losses that train together, against the same ones one after another."""
    header = ["runs", "step of all (ms)", "one after another (ms)", "times faster", "times one run"]
    header += ["memory (MiB)", "equal runs", "largest difference"]
    rows, data, device = [], [], resolve_device(placement.device)
    for size in sizes:
        configs = [make_config(loss=MIXED[n % len(MIXED)], seed=n // len(MIXED)) for n in range(size)]
        _forget_peak(device)
        together = [make_trainer(config, placement) for config in configs]
        task = recorded_steps(together)
        alone = [recorded_steps([make_trainer(config, placement)]) for config in configs]
        one_by_one = _all(alone)
        columns = time_alternately([task, one_by_one, alone[0]], repeats, device=device, warm_up=4)
        both, single, first = (timing([1000 * s / STEPS for s in column]) for column in columns)
        memory = _peak(device)
        differences = weight_differences(configs, placement, _EQUAL_STEPS)
        equal = sum(difference == 0 for difference in differences)
        faster, times_one = single.median / both.median, both.median / first.median
        rows.append(
            [
                str(size),
                number_text(both.median, 2),
                number_text(single.median, 2),
                number_text(faster, 1),
                number_text(times_one, 1),
                number_text(memory, 0),
                f"{equal} of {size}",
                f"{max(differences):.1e}",
            ]
        )
        data.append(
            {"runs": size, "together": both, "alone": single, "memory": memory, "differences": differences}
        )
    text = (
        f"Losses of the runs, repeated in this order: {', '.join(MIXED)}; network {DEFAULT_NETWORK}. "
        "Memory: the peak that torch allocated, for the runs in both ways. Differences: of the weights from "
        f"those of the run alone, after {_EQUAL_STEPS} steps, as a part of their norm."
    )
    return _benchmark("gpu packs", placement, header, rows, text, {"packs": data}, repeats)


def comparisons(repeats: int, placement: Placement) -> Benchmark:  # noqa: ARG001
    """`lossbench compare` from its start to its end: of three losses, and of all losses with ten seeds."""
    rows, data = [], []
    for words in (["--losses", "softmax,center,arcface"], ["--losses", "all", "--seeds", "0-9"]):
        with tempfile.TemporaryDirectory() as folder:
            command = ["compare", *words, "--device", placement.device, "--results", folder]
            if placement.data_dir is not None:
                command += ["--data-dir", str(placement.data_dir)]
            began = time.perf_counter()
            code = subprocess.run(
                [sys.executable, "-m", "lossbench", *command], stdout=subprocess.DEVNULL, check=False
            ).returncode
            seconds = time.perf_counter() - began
            complete = sum(run.result() is not None for run in Store(Path(folder)).all()[0])
        rows.append([f"compare {' '.join(words)}", str(complete), number_text(seconds, 1), str(code)])
        data.append({"command": words, "runs": complete, "seconds": seconds, "exit_code": code})
    header = ["command", "complete runs", "seconds", "exit code"]
    text = "Each command is a process of its own in an empty results folder."
    return _benchmark("gpu comparisons", placement, header, rows, text, {"comparisons": data})


ACCURACIES = (
    (0.985, {"loss": "center", "epochs": 2, "train_size": 44000}),
    (0.99, {"loss": "softmax", "feature_dim": 64, "epochs": 1, "batch_size": 256}),
)


def accuracy(
    repeats: int,  # noqa: ARG001
    placement: Placement,
    seeds: int = 30,
    goals: Sequence[tuple[float, dict[str, Any]]] = ACCURACIES,
) -> Benchmark:
    """Seconds of a training that ends above a test accuracy, over several seeds."""
    header = ["run", "target (%)", "reached", "test (%)", "training (s)", "middle half", "all (s)"]
    rows, data = [], []
    for target, options in goals:
        configs = [make_config(seed=seed, **options) for seed in range(seeds)]
        train_once(configs[0], placement)  # loads the data and starts CUDA's libraries
        trained = [train_once(config, placement) for config in configs]
        accuracies = [100 * accuracy for accuracy, _, _ in trained]
        mean, half_width, _ = mean_interval(accuracies)
        training = timing([seconds for _, seconds, _ in trained])
        whole = timing([seconds for _, _, seconds in trained])
        reached = sum(value >= 100 * target for value in accuracies)
        words = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in options.items())
        rows.append(
            [
                words,
                f"{100 * target:g}",
                f"{reached} of {seeds}",
                f"{mean:.2f} ± {half_width:.2f}",
                *training.cells(3),
                number_text(whole.median, 3),
            ]
        )
        data.append({"options": options, "target": target, "runs": trained})
    text = (
        f"{seeds} seeds each; the data are on the GPU. Training: all steps of the run, with the recording of "
        "the graph, without evaluation. All: from the config to the stored result. Test: the mean and its 95 "
        "% interval. A run before them, which is not counted, starts CUDA's libraries."
    )
    return _benchmark("gpu accuracy", placement, header, rows, text, {"goals": data})


def kernels(
    repeats: int, placement: Placement, names: Sequence[str] = (DEFAULT_NETWORK, "lenet++")
) -> Benchmark:
    """The kernels that take most of a step."""
    rows, data, device = [], [], resolve_device(placement.device)
    for name in names:
        trainer = make_trainer(make_config(network=name), placement)
        for _ in range(3):
            trainer.step()
        synchronize(device)
        kind = ProfilerActivity.CUDA if device.type == "cuda" else ProfilerActivity.CPU
        with profile(activities=[kind]) as profiled:
            for _ in range(repeats):
                trainer.step()
            synchronize(device)
        events = [
            (
                event.key,
                getattr(event, f"self_{_TIMES[device.type]}_time_total") / repeats,
                event.count / repeats,
            )
            for event in profiled.key_averages()
        ]
        events.sort(key=lambda event: -event[1])
        shown, others = events[:_KERNELS], events[_KERNELS:]
        left = ("all others", sum(e[1] for e in others), sum(e[2] for e in others))
        rows += [
            [name, _kernel_name(key), number_text(micros, 1), number_text(count, 0)]
            for key, micros, count in (*shown, left)
        ]
        data.append({"network": name, "kernels": events})
    header = ["network", "kernel", "microseconds per step", "times per step"]
    text = (
        f"Time on the GPU, without the gaps between kernels; means of {repeats} steps that are not recorded."
    )
    return _benchmark("gpu kernels", placement, header, rows, text, {"networks": data})


PARTS: dict[str, Callable[[int, Placement], Benchmark]] = {
    part.__name__: part for part in (tests, networks, graphs, packs, comparisons, accuracy, kernels)
}
_TIMES = {"cuda": "device", "cpu": "cpu"}


def _all(tasks: Sequence[Task]) -> Task:
    return lambda: [task() for task in tasks]


def _kernel_name(key: str) -> str:
    """The name of a kernel without its namespace, template arguments and parameters."""
    name = re.sub(r"^void |at::native::|\(anonymous namespace\)::|cutlass::|cudnn::", "", key)
    return re.split(r"[<(]", name)[0][:60]


def _benchmark(
    heading: str,
    placement: Placement,
    header: list[str],
    rows: list[list[str]],
    text: str,
    data: dict[str, Any],
    repeats: int | None = None,
) -> Benchmark:
    machine = describe_machine(resolve_device(placement.device))
    turns = f" Medians of {repeats} turns of {STEPS} steps." if repeats else ""
    return Benchmark(
        heading, machine, Table(header, rows), f"{text}{turns} {machine_text(machine)}", plain(data)
    )


def _forget_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def _peak(device: torch.device) -> float:
    """The most memory that torch had allocated on the device since `_forget_peak`, in MiB; NaN on a CPU."""
    return torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else math.nan
