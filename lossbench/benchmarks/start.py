"""The time of whole commands in new processes, compared with a Python that does nothing."""

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from ..errors import RunError
from ..files import plain
from ..runs.config import COMPARED_LOSSES
from ..runs.config_builder import make_config
from ..runs.result import Machine, RunResult, Status
from ..runs.store import Store
from ..tables import Table, counted
from ..training.device import describe_machine
from ._timing import Task, Timing, time_alternately, timing
from .metrics import gaussian_classes
from .result import Benchmark, machine_text

RUNS, POINTS = 6, 60_000


def measure(*, repeats: int = 5, runs: int = RUNS, points: int = POINTS) -> Benchmark:
    """Time fresh processes; `plot` draws so many stored runs of so many points each. Raises RunError when a
    command fails."""
    with tempfile.TemporaryDirectory() as folder:
        names = write_runs(Store(Path(folder)), runs, points)
        shown = [word for name in names for word in ("--run", name)]
        ours = [sys.executable, "-m", "lossbench"]
        plot = f"lossbench plot, {counted(runs, 'run')} x {points:,} points"
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "lossbench --help": [*ours, "--help"],
            "lossbench losses": [*ours, "losses"],
            plot: [*ours, "plot", *shown, "--results", folder],
        }
        seconds = time_alternately([_process(command) for command in commands.values()], repeats, warm_up=1)
    timings = dict(zip(commands, map(timing, seconds), strict=True))
    return _to_benchmark(timings, describe_machine(torch.device("cpu")), repeats)


def write_runs(store: Store, count: int, points: int) -> list[str]:
    """Complete runs of made-up features, a sixth of them of the test split; their names."""
    part = gaussian_classes(points // 6, points - points // 6)
    splits = {"train": part.reference, "test": part.evaluated._replace(scores=None)}
    accuracy = float((part.evaluated.predictions == part.evaluated.labels).mean())
    names = []
    for seed in range(count):
        run = store.run(make_config(loss=COMPARED_LOSSES[seed % len(COMPARED_LOSSES)], seed=seed))
        run.begin()
        run.write_features(splits, {})
        run.write_result(RunResult(run=run.name, status=Status.DONE, test_accuracy=accuracy))
        names.append(run.name)
    return names


def _process(command: Sequence[str]) -> Task:
    def run() -> None:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise RunError(f"`{' '.join(command[:4])}` failed with exit code {done.returncode}: {last}")

    return run


def _to_benchmark(timings: Mapping[str, Timing], machine: Machine, repeats: int) -> Benchmark:
    header = ["command", "seconds", "middle half"]
    rows = [[name, *each.cells()] for name, each in timings.items()]
    conditions = (
        f"Fresh processes from start to end, medians of {repeats}, in turns, after one that warms the files. "
        f"{machine_text(machine)}"
    )
    data = {"repeats": repeats, "seconds": timings}
    return Benchmark("start", machine, Table(header, rows), conditions, plain(data))
