"""Whether a mean lies inside a range that was stated before, or outside of it: two one-sided t tests."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from .intervals import Interval, mean_interval, standard_deviation


class Equivalence(NamedTuple):
    """The mean with its 95 % interval, and the p values of "not inside" and "not outside" the range."""

    mean: Interval
    p_inside: float
    p_outside: float


def equivalence_test(values: Sequence[float], low: float, high: float) -> Equivalence:
    """Two one-sided t tests of the mean of independent `values` against a range (Schuirmann 1987).

    p_inside is small where the mean lies between `low` and `high`, p_outside where it lies beyond one of
    them, doubled if both are finite. Either end may be infinite. NaN for fewer than two values or any that is
    not finite: no test was made. Raises ValueError unless low < high.
    """
    if not low < high:
        raise ValueError(f"the range from {low} to {high} is empty")
    if len(values) < 2 or not all(map(math.isfinite, values)):
        return Equivalence(mean_interval(values), math.nan, math.nan)
    below_high, above_high = _one_sided(values, high)
    below_low, above_low = _one_sided(values, low)
    sides = math.isfinite(low) + math.isfinite(high)
    outside = min(1.0, sides * min(below_low, above_high))
    return Equivalence(mean_interval(values), max(above_low, below_high), outside)


def _one_sided(values: Sequence[float], bound: float) -> tuple[float, float]:
    """The p values of the alternatives that the mean is below the bound, and above it."""
    from scipy.stats import t

    distance = math.fsum(values) / len(values) - bound
    deviation = standard_deviation(values)
    if math.isinf(bound) or deviation == 0:
        return float(distance >= 0), float(distance <= 0)
    statistic = distance / deviation * math.sqrt(len(values))
    return float(t.cdf(statistic, len(values) - 1)), float(t.sf(statistic, len(values) - 1))
