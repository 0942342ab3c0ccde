"""Timings by the wall clock. What is compared is timed alternately, so that a change of pace affects all."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch

from ..tables import number_text
from ..training.process import prepare_process

Task = Callable[[], object]


class Timing(NamedTuple):
    """Median and quartiles of some measurements, in a unit that its owner names."""

    median: float
    low: float
    high: float

    def scaled(self, factor: float) -> Timing:
        """The same in another unit."""
        return Timing(*(factor * value for value in self))

    def range_text(self, digits: int = 2) -> str:
        """The quartiles, like 1.20–1.30."""
        return f"{number_text(self.low, digits)}–{number_text(self.high, digits)}"

    def cells(self, digits: int = 2) -> list[str]:
        """Two cells of a table: the median and the quartiles."""
        return [number_text(self.median, digits), self.range_text(digits)]


def timing(values: Sequence[float]) -> Timing:
    """Median and quartiles of at least one value."""
    if len(values) == 1:
        return Timing(*3 * tuple(values))
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Timing(median, low, high)


def time_alternately(
    tasks: Sequence[Task], repeats: int, *, device: torch.device | None = None, warm_up: int = 2
) -> list[list[float]]:
    """Seconds of each task, (tasks, repeats), with what it started on the device; all tasks are timed once,
    then all again. Warm-up rounds are left out."""
    rounds = [[_seconds(task, device) for task in tasks] for _ in range(warm_up + repeats)]
    return [list(column) for column in zip(*rounds[warm_up:], strict=True)]


def _seconds(task: Task, device: torch.device | None) -> float:
    synchronize(device)
    began = time.perf_counter()
    task()
    synchronize(device)
    return time.perf_counter() - began


def synchronize(device: torch.device | None) -> None:
    """Wait until the device has done everything it was given; a CPU always has."""
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device is not None and device.type == "mps":
        torch.mps.synchronize()


@contextlib.contextmanager
def thread_count(count: int | None) -> Iterator[None]:
    """Compute with so many threads inside the block (None: as many as before)."""
    before = torch.get_num_threads()
    prepare_process(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
