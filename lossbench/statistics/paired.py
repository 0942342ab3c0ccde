"""Whether one loss differs from another over the same seeds.

NumPy and SciPy are imported where they are used, because every command imports this module.
"""

from __future__ import annotations

import bisect
import functools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from .intervals import Interval, check_fraction, mean_interval, standard_deviation

if TYPE_CHECKING:
    import numpy as np

Verdict = Literal["better", "worse", "not distinguishable"]

TIE = 1e-9  # scores are rounded, so that equal statistics differ by up to 1e-12 of their size
_EXACT = 32  # with up to this many differences all 2^n sign patterns are counted
_EXACT_TOGETHER = 16  # those of several losses at once, which are tried one by one
_FLIPS = 100_000
_BATCH = 1_000  # flips drawn at once, so that memory does not grow with their number
_MOST_SEEDS = 10_000


class SignFlip(NamedTuple):
    """A p value and its standard error, which is 0 where every sign pattern was tried."""

    p: float
    error: float


class PairedDifference(NamedTuple):
    """One loss minus a baseline over the seeds that both have."""

    n: int
    unpaired: int  # seeds with a score of only one of the two, for example where a run diverged
    differences: tuple[float, ...]  # loss minus baseline, by rising seed
    difference: Interval  # 95 %
    p: float  # of the sign-flip test, not adjusted for other comparisons
    p_error: float
    probability: float  # of outperforming the baseline
    higher_is_better: bool

    def verdict(self, adjusted_p: float, level: float = 0.05) -> Verdict:
        """Which is better, said only where the adjusted p value and the 95 % interval agree (Du 2025).

        Du, arXiv 2511.19794, with Student's interval, as bootstrap intervals are too short for few seeds.
        `adjusted_p` is this comparison's entry of `holm` over the family; NaN is never a difference.
        """
        check_fraction("level", level)
        if not (adjusted_p <= level and abs(self.difference.mean) > self.difference.half_width):
            return "not distinguishable"
        return "better" if (self.difference.mean > 0) == self.higher_is_better else "worse"


def sign_flip_test(differences: Sequence[float], *, seed: int = 0) -> SignFlip:
    """Two-sided test that paired differences are symmetric about 0 (Fisher 1935, section 21).

    p is the share of sign patterns whose |mean| is at least the observed one, equal ones included: of all
    2^n patterns for n <= 32, so that p >= 2 / 2^n; otherwise (1 + count) / (1 + flips) over 100,000 random
    ones (Phipson & Smyth 2010) from a generator fixed by `seed`. p is 1 when all differences are 0, and NaN
    for fewer than two differences or any that is not finite: no test was made.
    """
    import numpy as np

    # sorted sizes: the p value depends on nothing else but |mean|, random flips included
    sizes = np.sort(np.abs(np.asarray(differences, dtype=np.float64)))
    if len(sizes) < 2 or not np.isfinite(sizes).all():
        return SignFlip(math.nan, math.nan)
    least = abs(math.fsum(differences)) - TIE * math.fsum(sizes)
    if len(sizes) <= _EXACT:
        return SignFlip(_share_beyond(least, sizes), 0.0)
    batches = _random_signs(_FLIPS // _BATCH, len(sizes), seed)
    count = sum(int(np.count_nonzero(np.abs(signs @ sizes) >= least)) for signs in batches)
    p = (1 + count) / (1 + _FLIPS)
    return SignFlip(p, math.sqrt(p * (1 - p) / _FLIPS))


def _share_beyond(least: float, sizes: np.ndarray) -> float:
    """The share of the sums of +-sizes at or beyond +-least, from the sums of two halves: for each of the
    first, how many of the second, sorted, take it there."""
    import numpy as np

    if least <= 0:
        return 1.0
    some, others = _signed_sums(sizes[::2]), np.sort(_signed_sums(sizes[1::2]))
    beyond = len(others) - np.searchsorted(others, least - some)  # the other side mirrors this one
    return float(2 * beyond.sum() / 2 ** len(sizes))


def _signed_sums(sizes: np.ndarray) -> np.ndarray:
    import numpy as np

    sums = np.zeros(1)
    for size in sizes:
        sums = np.concatenate([sums + size, sums - size])
    return sums


@functools.lru_cache(maxsize=2)
def _random_signs(batches: int, count: int, seed: int) -> list[np.ndarray]:
    """Signs (_BATCH, count) of each batch; kept, as drawing them takes longer than all else in a test."""
    import numpy as np

    random = np.random.RandomState(seed)
    return [2.0 * random.randint(0, 2, (_BATCH, count), dtype=np.int8) - 1 for _ in range(batches)]


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values in input order by Holm's step-down method (Scand. J. Statistics 6, 1979).

    Rejecting those <= level keeps the chance of any false rejection <= level, however the tests depend on
    each other. NaN, a test that was not made, stays NaN and does not count. Raises ValueError for p values
    outside [0, 1].
    """
    tested = sorted((p, index) for index, p in enumerate(p_values) if not math.isnan(p))
    adjusted = [math.nan] * len(p_values)
    largest = 0.0
    for rank, (p, index) in enumerate(tested):
        if not 0 <= p <= 1:
            raise ValueError(f"p value {p} is outside [0, 1]")
        largest = max(largest, min(1.0, (len(tested) - rank) * p))
        adjusted[index] = largest
    return adjusted


def max_t(differences: np.ndarray, *, seed: int = 0) -> list[float]:
    """Adjusted p values of paired differences (losses, seeds), NaN where a loss has none, by step-down max-T.

    Westfall & Young 1993, algorithm 2.8: the signs of whole seeds are flipped for all losses at once, and
    each |t| is compared with the largest one of the losses that are not above it. It uses that losses depend
    on each other at a seed: the smallest p of n seeds is 2 / 2^n however many losses there are, where `holm`
    multiplies it by their number. Exact for n <= 16, otherwise with 100,000 random flips. NaN for a loss with
    fewer than two differences.
    """
    import numpy as np

    values = np.asarray(differences, dtype=np.float64)
    measured = np.isfinite(values)
    counts = measured.sum(axis=1)
    tested = np.flatnonzero(counts >= 2)
    adjusted = [math.nan] * len(values)
    if not len(tested):
        return adjusted
    seeds = values.shape[1]
    if seeds <= _EXACT_TOGETHER:  # the first sign is fixed: the other half of the patterns mirrors this one
        signs = 1.0 - 2.0 * ((np.arange(2 ** (seeds - 1))[:, None] >> np.arange(seeds)) & 1)
    else:
        signs = 2.0 * np.random.RandomState(seed).randint(0, 2, (_FLIPS, seeds), dtype=np.int8) - 1
        signs[0] = 1  # the signs observed are one of the patterns
    count, filled = counts[tested], np.where(measured, values, 0.0)[tested]
    squares = count * (filled**2).sum(axis=1)
    sums = np.abs(signs @ filled.T)
    spread = np.sqrt(np.maximum(squares - sums**2, TIE * squares) / (count - 1))
    statistic = np.divide(sums, spread, out=np.zeros_like(sums), where=spread > 0)  # |t| (patterns, losses)
    order = np.argsort(-statistic[0], kind="stable")
    largest = np.maximum.accumulate(statistic[:, order[::-1]], axis=1)[:, ::-1]
    p_values = (largest >= statistic[0, order] * (1 - TIE)).mean(axis=0)
    for place, p in zip(order, np.maximum.accumulate(p_values), strict=True):
        adjusted[tested[place]] = float(p)
    return adjusted


def probability_of_outperforming(differences: Sequence[float], *, higher_is_better: bool = True) -> float:
    """P(A > B): the share of paired differences A - B on the better side of 0, ties half.

    Bouthillier et al. 2021, arXiv 2103.03098. NaN for no differences or where any is NaN.
    """
    if not differences or any(map(math.isnan, differences)):
        return math.nan
    above = sum((value > 0) + 0.5 * (value == 0) for value in differences) / len(differences)
    return above if higher_is_better else 1 - above


def seeds_needed(differences: Sequence[float], power: float = 0.8, level: float = 0.05) -> int | None:
    """Smallest number of paired seeds with which a difference as large as the observed one would be found.

    Found: by a two-sided paired t test at `level` with chance >= `power` (noncentral t, Cohen 1988,
    chapter 2), were the true mean and deviation those observed. Never fewer than let the exact sign-flip
    test reach `level`, which is 6 at 0.05; for one of m tests use level / m. None when the observed
    difference is 0 or undefined, or more than 10,000 are needed. Raises ValueError unless both are in (0, 1).
    """
    check_fraction("power", power)
    check_fraction("level", level)
    if len(differences) < 2 or not all(map(math.isfinite, differences)):
        return None
    mean, deviation = math.fsum(differences) / len(differences), standard_deviation(differences)
    if mean == 0:
        return None
    fewest = max(2, math.ceil(1 - math.log2(level)))  # 2 / 2^n <= level
    if deviation == 0:
        return fewest
    from scipy.stats import nct, t

    def has_power(count: int) -> bool:
        # beyond 40 the chance is 1 and scipy's series fail; the wrong direction does not count
        shift = min(abs(mean) / deviation * math.sqrt(count), 40.0)
        return bool(nct.sf(t.ppf(1 - level / 2, count - 1), count - 1, shift) >= power)

    count = bisect.bisect_left(range(fewest, _MOST_SEEDS + 1), True, key=has_power) + fewest
    return count if count <= _MOST_SEEDS else None


def compare_paired(
    values: Mapping[int, float], baseline: Mapping[int, float], *, higher_is_better: bool = True
) -> PairedDifference:
    """Compare a loss with a baseline over the seeds that both have, as scores by seed.

    Bouthillier et al. 2021 (arXiv 2103.03098) and Du 2025 (arXiv 2511.19794): the seed fixes all that
    varies between runs, which makes differences paired. Seeds of only one of the two are counted, not used.
    """
    differences = tuple(values[seed] - baseline[seed] for seed in sorted(values.keys() & baseline.keys()))
    p, error = sign_flip_test(differences)
    return PairedDifference(
        n=len(differences),
        unpaired=len(values.keys() ^ baseline.keys()),
        differences=differences,
        difference=mean_interval(differences),
        p=p,
        p_error=error,
        probability=probability_of_outperforming(differences, higher_is_better=higher_is_better),
        higher_is_better=higher_is_better,
    )
