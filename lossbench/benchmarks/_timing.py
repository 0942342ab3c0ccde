"""Timings by the wall clock: what is compared runs in turns, so that a wandering clock wanders for all."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch

from ..tables import number_text
from ..training.process import prepare_process

Work = Callable[[], object]


class Timing(NamedTuple):
    """The middle of some measurements and their middle half, in a unit that its owner names."""

    median: float
    low: float
    high: float

    def times(self, factor: float) -> Timing:
        """The same in another unit."""
        return Timing(*(factor * value for value in self))


def timing(values: Sequence[float]) -> Timing:
    """Median and quartiles of at least one value."""
    if len(values) == 1:
        return Timing(*3 * tuple(values))
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Timing(median, low, high)


def spread(found: Timing, digits: int = 2) -> str:
    """The middle half, like 1.20–1.30."""
    return f"{number_text(found.low, digits)}–{number_text(found.high, digits)}"


def seconds(work: Work, device: torch.device | None = None) -> float:
    """Seconds that `work` takes, all that it started on the device included."""
    wait_for(device)
    began = time.perf_counter()
    work()
    wait_for(device)
    return time.perf_counter() - began


def in_turns(
    works: Sequence[Work], repeats: int, *, device: torch.device | None = None, warm_up: int = 2
) -> list[list[float]]:
    """Seconds of each work, (works, repeats), one turn of all after another; warm-up turns left out."""
    turns = [[seconds(work, device) for work in works] for _ in range(warm_up + repeats)]
    return [list(own) for own in zip(*turns[warm_up:], strict=True)]


def wait_for(device: torch.device | None) -> None:
    """Wait until the device has done all it was given; a processor has."""
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device is not None and device.type == "mps":
        torch.mps.synchronize()


@contextlib.contextmanager
def threads_set(count: int | None) -> Iterator[None]:
    """Compute with so many threads inside the block (None: as many as before)."""
    before = torch.get_num_threads()
    prepare_process(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
