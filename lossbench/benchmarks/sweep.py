"""What parallel workers bring: the same runs one after another with all threads, and on several workers.

Workers share the cores. Their start (importing torch, reading the data) is told apart from the rest, and so
are judging a trained run with all its images and the true overhead: handing out runs, waiting for the last.
Memory is what a worker holds alone, without pages that it shares with others.
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

from ..data import load_splits
from ..engines import run_all
from ..errors import RunError
from ..protocols import Silent
from ..records import EpochRecord
from ..runs.config import RunConfig
from ..runs.result import Machine, Status
from ..runs.store import Store
from ..tables import Table, number_text
from ..training.device import cores, describe_machine, resolve_device
from ..training.process import Placement, threads_per_worker
from ._timing import threads_set
from .result import Benchmark, on_machine

_EVERY = 0.2  # seconds between two looks at the workers' memory


class Batch(NamedTuple):
    """The same runs in one of the two ways. Seconds but for images and memory (MB per worker, NaN for none).

    Sums over all workers and rounds. start: until a worker trains; training: the runs' own seconds, that is
    epochs with a look at validation after each; judging: from the last epoch to the stored result.
    """

    name: str
    workers: int
    threads: int
    runs: int
    wall: float
    start: float
    training: float
    judging: float
    images: int
    unique: float
    resident: float
    rounds: int = 1

    def with_another(self, other: Batch) -> Batch:
        """Both rounds of one way as one."""
        added = ("runs", "wall", "start", "training", "judging", "images", "rounds")
        most = {name: max(getattr(self, name), getattr(other, name)) for name in ("unique", "resident")}
        return self._replace(**{name: getattr(self, name) + getattr(other, name) for name in added}, **most)

    @property
    def rate(self) -> float:
        """Images per second of all runs together, start included."""
        return self.images / self.wall

    @property
    def overhead(self) -> float:
        """Seconds per run that a worker spends beyond its start, training and judging."""
        return (self.wall * self.workers - self.start - self.training - self.judging) / self.runs

    @property
    def share(self) -> float:
        """Overhead over training and judging."""
        return self.overhead * self.runs / (self.training + self.judging)


def measure(configs: Sequence[RunConfig], *, workers: int, placement: Placement) -> Benchmark:
    """Train the runs both ways, there and back: what the machine gains or loses meanwhile falls on both.

    In temporary folders. Raises RunError when a run fails, DataError.
    """
    for config in configs:
        # both ways then find it read
        load_splits(config.split_spec, placement.data_dir, resolve_device(placement.device))
    ways = [
        ("one after another", configs, 1, placement._replace(threads=cores())),
        (f"{workers} workers", configs, workers, placement),
    ]
    with threads_set(cores()):
        first, second, third, fourth = (_batch(*way) for way in (*ways, *reversed(ways)))
    alone, together = first.with_another(fourth), second.with_another(third)
    machine = describe_machine(resolve_device(placement.device))
    return told(configs[0], alone, together, machine)


def _batch(name: str, configs: Sequence[RunConfig], workers: int, placement: Placement) -> Batch:
    watch = _Watch([config.run_name for config in configs[:workers]])
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        store, outcomes = Store(Path(folder)), []
        for outcome in run_all(
            configs, store, placement=placement, workers=workers, observer=watch, stop=watch
        ):
            outcomes.append(outcome)
            watch.stored(outcome.config.run_name)
        wall = time.perf_counter() - began
    for outcome in outcomes:
        if outcome.status is not Status.DONE:
            raise RunError(f"{outcome.config.run_name} {outcome.status}: {outcome.message}")
    return Batch(
        name,
        workers,
        placement.threads or threads_per_worker(placement, workers) or cores(),
        len(configs),
        wall,
        sum(moment - began for moment in watch.first.values()),
        sum(outcome.result.seconds for outcome in outcomes if outcome.result),
        watch.judging,
        sum(_images(config, placement) for config in configs),
        watch.largest("unique"),
        watch.largest("resident"),
    )


def _images(config: RunConfig, placement: Placement) -> int:
    steps = len(load_splits(config.split_spec, placement.data_dir).train.labels) // config.batch_size
    return config.epochs * steps * config.batch_size


class _Watch(Silent):
    """Notes when each worker's first run starts, and how much memory workers hold; asked whether to stop, it
    takes another look and says no."""

    def __init__(self, first: Sequence[str]) -> None:
        self.expected, self.first = first, dict[str, float]()
        self.seen, self.looked = dict[int, dict[str, float]](), 0.0
        self.trained, self.judging = dict[str, float](), 0.0

    def started(self, run: str, epochs: int, steps: int, done: int) -> None:  # noqa: ARG002
        """The first runs are given to one worker each."""
        if run in self.expected:
            self.first.setdefault(run, time.perf_counter())

    def finished_epoch(self, run: str, record: EpochRecord) -> None:  # noqa: ARG002
        """The last of these begins the judging."""
        self.trained[run] = time.perf_counter()

    def stored(self, run: str) -> None:
        """The run's result is there."""
        self.judging += time.perf_counter() - self.trained.get(run, time.perf_counter())

    def __call__(self) -> bool:
        """False, after a look at the workers' memory."""
        if time.monotonic() - self.looked > _EVERY:
            for worker in multiprocessing.active_children():
                now, most = memory(worker.pid or 0), self.seen.setdefault(worker.pid or 0, {})
                most |= {name: max(value, most.get(name, 0.0)) for name, value in now.items()}
            self.looked = time.monotonic()
        return False

    def largest(self, kind: str) -> float:
        """MB of the worker that held most; NaN where nobody could see."""
        return max((most[kind] for most in self.seen.values() if kind in most), default=math.nan)


def memory(process: int) -> dict[str, float]:
    """`resident` MB of a process, and of those the `unique` ones that no other process maps; nothing where
    the system does not tell."""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii")
        found = {name: int(number) / 1000 * 1.024 for name, number in re.findall(r"(\w+): +(\d+) kB", text)}
        if "Rss" in found:
            return {"resident": found["Rss"], "unique": found["Private_Clean"] + found["Private_Dirty"]}
    return {}


def told(config: RunConfig, alone: Batch, together: Batch, machine: Machine) -> Benchmark:
    """Both ways, in a table and in words."""
    header = ["runs", "workers x threads", "seconds", "images/s", "times alone", "without start"]
    header += ["start (s)", "judging per run (s)", "overhead (%)", "MB per worker, unique", "resident"]
    rows, data = [], dict[str, Any]()
    for key, batch in (("alone", alone), ("together", together)):
        ratio = batch.rate / alone.rate
        after = _steady(batch) / _steady(alone)
        own = {"rate": batch.rate, "ratio": ratio, "ratio_without_start": after, "overhead": batch.overhead}
        data[key] = batch._asdict() | own | {"overhead_share": batch.share}
        rows.append(
            [
                f"{batch.runs}, {batch.name}",
                f"{batch.workers} x {batch.threads}",
                number_text(batch.wall, 1),
                number_text(batch.rate, 0),
                number_text(ratio, 2),
                number_text(after, 2),
                number_text(batch.start / batch.workers / batch.rounds, 1),
                number_text(batch.judging / batch.runs, 2),
                number_text(100 * batch.share, 1),
                number_text(batch.unique, 0),
                number_text(batch.resident, 0),
            ]
        )
    conditions = (
        f"Runs of {config.epochs} epochs on {config.dataset}, {config.title}, network {config.network}, B = "
        f"{config.batch_size}, precision {config.precision}; the same ones one after another, in workers, "
        "in workers again and one after another again, in temporary folders. Start: until a worker trains. "
        "Judging: all splits, after the last epoch, and storing. Overhead: "
        "what a worker spends beyond these and training (the next run, waiting for the last), as a part of "
        "training and judging. Unique memory: what no other process maps, at its most. "
        f"{on_machine(machine, str(cores()))}"
    )
    return Benchmark("sweep", machine, Table(header, rows), conditions, data)


def _steady(batch: Batch) -> float:
    return batch.images / (batch.wall - batch.start / batch.workers)
