"""What is found out about a user's data before they are trained on."""

import os
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ..errors import InvalidData, shown

_PART = 2**16  # numbers at a time


class Survey(NamedTuple):
    """classes: their names. shape: of a sample. mean, deviation: of each channel of the training samples, or
    of all features. digest: of everything that is read. counts: the training samples of each class, those of
    the test part included where the data have no test part of their own (`has_test`)."""

    classes: tuple[str, ...]
    shape: tuple[int, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    digest: str
    counts: np.ndarray
    has_test: bool


def moments(channels: Iterable[np.ndarray]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each of some arrays, to three digits: the same data give the same
    numbers on every machine. The deviation of a constant is 1."""
    mean, deviation = [], []
    for values in channels:
        if values.dtype == np.uint8:  # exact
            counts = np.bincount(values.ravel(), minlength=256)
            levels, total = np.arange(256), max(int(counts.sum()), 1)
            middle = int(counts @ levels) / total
            spread = max(int(counts @ levels**2) / total - middle**2, 0.0) ** 0.5
        else:
            middle = float(values.mean(dtype=np.float64))
            squares = 0.0
            for part in np.array_split(values.ravel(), max(1, values.size // _PART)):  # stays in the cache
                difference = part.astype(np.float64) - middle
                squares += float(difference @ difference)
            spread = (squares / max(values.size, 1)) ** 0.5
        mean.append(float(f"{middle:.3g}"))
        deviation.append(float(f"{spread:.3g}") or 1.0)
    return tuple(mean), tuple(deviation)


def check_memory(where: str, needed: int, what: str) -> None:
    """Raise InvalidData that says how much memory is needed, where this machine or container has less."""
    if needed > (memory := _memory()):
        raise InvalidData(
            f"{shown(where)}: {what} need {needed / 1e9:,.1f} GB of memory; there are {memory / 1e9:,.1f} GB."
        )


def _memory() -> float:
    """The memory that this process may have, in bytes; infinite where that is not known."""
    limits = [float("inf")]
    try:
        limits.append(float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")))
        with open("/sys/fs/cgroup/memory.max") as file:  # of a container
            limits.append(float(file.read()))
    except (OSError, ValueError, AttributeError):  # "max"; other systems
        pass
    return min(limits)
