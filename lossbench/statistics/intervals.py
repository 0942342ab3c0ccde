"""Confidence intervals of means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class Interval(NamedTuple):
    """A mean and the half width of its interval; the half width of fewer than two values is NaN."""

    mean: float
    half_width: float
    n: int


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Mean and Student-t interval of independent `values` (Gosset 1908), no value dropped."""
    count = len(values)
    if count == 0:
        return Interval(math.nan, math.nan, 0)
    mean = math.fsum(values) / count
    if count == 1:
        return Interval(mean, math.nan, 1)
    from scipy.stats import t  # slow to import, and needed only where there are seeds to average

    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
    quantile = float(t.ppf((1 + confidence) / 2, count - 1))
    return Interval(mean, quantile * deviation / math.sqrt(count), count)


def paired_interval(differences: Sequence[float], confidence: float = 0.95) -> Interval:
    """Student interval (Gosset 1908) of the mean of paired differences.

    What two losses share at a seed, such as initial weights and batch order, cancels before the spread is
    taken. Raises ValueError unless 0 < confidence < 1.
    """
    check_fraction("confidence", confidence)
    return mean_interval(differences, confidence)


def check_fraction(name: str, value: float) -> None:
    """Raise ValueError unless 0 < value < 1."""
    if not 0 < value < 1:
        raise ValueError(f"{name} {value} is not between 0 and 1")
