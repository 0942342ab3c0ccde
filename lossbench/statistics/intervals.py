"""Confidence intervals of means."""

import math
from collections.abc import Sequence
from typing import NamedTuple


class Interval(NamedTuple):
    """A mean and the half width of its interval; the half width of fewer than two values is NaN."""

    mean: float
    half_width: float
    n: int


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Mean and Student-t interval of independent `values` (Gosset 1908), no value dropped.

    Of paired differences it is the paired interval: what two losses share at a seed, such as initial weights
    and batch order, cancels in the difference. Raises ValueError unless 0 < confidence < 1.
    """
    check_fraction("confidence", confidence)
    count = len(values)
    if count == 0:
        return Interval(math.nan, math.nan, 0)
    mean = math.fsum(values) / count
    if count == 1:
        return Interval(mean, math.nan, 1)
    from scipy.stats import t  # slow to import, and only needed for two or more values

    quantile = float(t.ppf((1 + confidence) / 2, count - 1))
    return Interval(mean, quantile * standard_deviation(values) / math.sqrt(count), count)


def standard_deviation(values: Sequence[float]) -> float:
    """Sample standard deviation (divisor n - 1) of two or more values."""
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def check_fraction(name: str, value: float) -> None:
    """Raise ValueError unless 0 < value < 1."""
    if not 0 < value < 1:
        raise ValueError(f"{name} {value} is not between 0 and 1")
