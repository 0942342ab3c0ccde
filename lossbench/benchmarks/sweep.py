"""The gain of parallel workers: the same runs one after another, and on several workers.

Workers share the cores. Their start (importing torch, reading the data), the evaluation of trained runs and
the overhead (scheduling runs, waiting for the last) are timed apart. Memory is given with and without the
pages that a worker shares with others.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..data import load_splits
from ..engines import run_all
from ..errors import RunError
from ..records import EpochRecord, NullObserver
from ..runs.config import RunConfig
from ..runs.result import Machine, Status
from ..runs.store import Store
from ..tables import Table, counted, number_text
from ..training.device import describe_machine, resolve_device
from ..training.process import Placement, threads_of
from ._timing import thread_count
from .result import Benchmark, machine_text

_KEYS = {"evaluation": "judging"}  # keys of JSON that are not the names of fields
_MEMORY_INTERVAL = 0.2  # seconds between two readings of the workers' memory


class SweepTiming(NamedTuple):
    """The same runs in one of the two ways; seconds are sums over all workers and rounds.

    start: until a worker trains; training: epochs, with the evaluation after each; evaluation: from
    the last epoch to the stored result. unique, resident: MB of the largest worker, NaN where there is none.
    """

    name: str
    workers: int
    threads: int
    runs: int
    wall: float
    start: float
    training: float
    evaluation: float
    images: int
    unique: float
    resident: float
    rounds: int = 1

    def combined_with(self, other: SweepTiming) -> SweepTiming:
        """Both rounds of one way as one."""
        added = ("runs", "wall", "start", "training", "evaluation", "images", "rounds")
        most = {name: max(getattr(self, name), getattr(other, name)) for name in ("unique", "resident")}
        return self._replace(**{name: getattr(self, name) + getattr(other, name) for name in added}, **most)

    @property
    def rate(self) -> float:
        """Images per second of all runs together, start included."""
        return self.images / self.wall

    @property
    def rate_without_start(self) -> float:
        """Images per second after the start of the workers."""
        return self.images / (self.wall - self.start / self.workers)

    @property
    def overhead(self) -> float:
        """Seconds per run that a worker spends beyond its start, training and evaluation."""
        return (self.wall * self.workers - self.start - self.training - self.evaluation) / self.runs

    @property
    def share(self) -> float:
        """Overhead over training and evaluation."""
        return self.overhead * self.runs / (self.training + self.evaluation)


def measure(configs: Sequence[RunConfig], *, workers: int, placement: Placement) -> Benchmark:
    """Train the runs both ways and again in reverse order, so that a change of pace affects both.

    Results go to temporary folders. Raises RunError when a run fails, DataError.
    """
    for config in configs:  # so that the first way does not read the files alone
        load_splits(config.split_spec, placement.data_dir, resolve_device(placement.device))
    ways = [("one after another", configs, 1, placement), (f"{workers} workers", configs, workers, placement)]
    with thread_count(threads_of(configs[0], placement)):
        first, second, third, fourth = (_time_sweep(*way) for way in (*ways, *reversed(ways)))
    alone, together = first.combined_with(fourth), second.combined_with(third)
    machine = describe_machine(resolve_device(placement.device))
    return to_benchmark(configs[0], alone, together, machine)


def _time_sweep(name: str, configs: Sequence[RunConfig], workers: int, placement: Placement) -> SweepTiming:
    monitor = _WorkerMonitor([config.run_name for config in configs[:workers]])
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        store, outcomes = Store(Path(folder)), []
        for outcome in run_all(
            configs, store, placement=placement, workers=workers, observer=monitor, stop=monitor
        ):
            outcomes.append(outcome)
            monitor.stored(outcome.config.run_name)
        wall = time.perf_counter() - began
    for outcome in outcomes:
        if outcome.status is not Status.DONE:
            raise RunError(f"{outcome.config.run_name} {outcome.status}: {outcome.message}")
    return SweepTiming(
        name,
        workers,
        threads_of(configs[0], placement.for_workers(workers)),
        len(configs),
        wall,
        sum(moment - began for moment in monitor.first.values()),
        sum(outcome.result.seconds for outcome in outcomes if outcome.result),
        monitor.evaluation,
        sum(_images(config, placement) for config in configs),
        monitor.max_memory["unique"],
        monitor.max_memory["resident"],
    )


def _images(config: RunConfig, placement: Placement) -> int:
    steps = len(load_splits(config.split_spec, placement.data_dir).train.labels) // config.batch_size
    return config.epochs * steps * config.batch_size


class _WorkerMonitor(NullObserver):
    """Records when each worker's first run starts, and the memory of workers whenever it is asked to stop."""

    def __init__(self, first_runs: Sequence[str]) -> None:
        self.first_runs, self.first = first_runs, dict[str, float]()
        self.trained, self.evaluation = dict[str, float](), 0.0
        self.max_memory = {"unique": math.nan, "resident": math.nan}
        self.read_at = 0.0

    def started(self, run: str, epochs: int, steps: int, done: int) -> None:  # noqa: ARG002
        """Each worker has one of the first runs."""
        if run in self.first_runs:
            self.first.setdefault(run, time.perf_counter())

    def finished_epoch(self, run: str, record: EpochRecord) -> None:  # noqa: ARG002
        """After the last epoch the run is evaluated."""
        self.trained[run] = time.perf_counter()

    def stored(self, run: str) -> None:
        """The run's result is stored."""
        self.evaluation += time.perf_counter() - self.trained.get(run, time.perf_counter())

    def __call__(self) -> bool:
        """Always False; reads the memory of the workers."""
        if time.monotonic() - self.read_at > _MEMORY_INTERVAL:
            for worker in multiprocessing.active_children():
                for kind, size in memory(worker.pid or 0).items():
                    self.max_memory[kind] = float(np.fmax(self.max_memory[kind], size))
            self.read_at = time.monotonic()
        return False


def memory(process: int) -> dict[str, float]:
    """`resident` MB of a process, and `unique` ones that no other process maps; empty on other systems."""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii")
        sizes = {name: int(number) / 1000 * 1.024 for name, number in re.findall(r"(\w+): +(\d+) kB", text)}
        if "Rss" in sizes:
            return {"resident": sizes["Rss"], "unique": sizes["Private_Clean"] + sizes["Private_Dirty"]}
    return {}


def to_benchmark(config: RunConfig, alone: SweepTiming, together: SweepTiming, machine: Machine) -> Benchmark:
    """Both ways as table, text and data."""
    header = ["runs", "workers x threads", "seconds", "images/s", "times alone", "without start"]
    header += ["start (s)", "evaluation per run (s)", "overhead (%)", "MB per worker, unique", "resident"]
    rows, data = [], dict[str, Any]()
    for key, batch in (("alone", alone), ("together", together)):
        derived = {
            "rate": batch.rate,
            "ratio": batch.rate / alone.rate,
            "ratio_without_start": batch.rate_without_start / alone.rate_without_start,
            "overhead": batch.overhead,
            "overhead_share": batch.share,
        }
        data[key] = {_KEYS.get(name, name): value for name, value in batch._asdict().items()} | derived
        rows.append(
            [
                f"{batch.runs}, {batch.name}",
                f"{batch.workers} x {batch.threads}",
                number_text(batch.wall, 1),
                number_text(batch.rate, 0),
                number_text(derived["ratio"], 2),
                number_text(derived["ratio_without_start"], 2),
                number_text(batch.start / batch.workers / batch.rounds, 1),
                number_text(batch.evaluation / batch.runs, 2),
                number_text(100 * batch.share, 1),
                number_text(batch.unique, 0),
                number_text(batch.resident, 0),
            ]
        )
    conditions = (
        f"Runs of {counted(config.epochs, 'epoch')} on {config.dataset}, {config.title}, network "
        f"{config.network}, B = {config.batch_size}, precision {config.precision}; the same ones one after "
        "another, in workers, in workers again and one after another again, in temporary folders. "
        "Start: until a worker trains. "
        "Evaluation: all splits, after the last epoch, and storing. Overhead: "
        "what a worker spends beyond these and training (the next run, waiting for the last), as a part of "
        "training and evaluation. Unique memory: what no other process maps, at its most. "
        f"{machine_text(machine, str(alone.threads))}"
    )
    return Benchmark("sweep", machine, Table(header, rows), conditions, data)
