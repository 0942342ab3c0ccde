"""Intervals over seeds, and whether one loss differs from another over the same seeds or data sets.

Numpy and scipy are imported where they are used: the command line imports this module for every `--help`.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from .intervals import Interval, check_fraction, paired_interval

if TYPE_CHECKING:
    pass

Verdict = Literal["better", "worse", "not distinguishable"]

_EXACT = 16  # with up to this many differences all 2^n sign patterns are tried
_FLIPS = 100_000
_BATCH = 1_000  # flips drawn at once, so that memory does not grow with their number
TIE = 1e-9  # scores are rounded, so that equal statistics differ by up to 1e-12 of their size
_MOST_SEEDS = 10_000


class SignFlip(NamedTuple):
    """A p value and its standard error, which is 0 where every sign pattern was tried."""

    p: float
    error: float


class PairedComparison(NamedTuple):
    """One loss against a baseline over the seeds that both have; differences are loss minus baseline."""

    n: int
    unpaired: int  # seeds that only one of the two has, which is where diverged runs show
    differences: tuple[float, ...]  # by rising seed
    difference: Interval  # 95 %
    p: float  # of the sign-flip test, not adjusted for other comparisons
    p_error: float
    probability: float  # of outperforming the baseline
    needed: int | None  # seeds that would show a difference of this size
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
    2^n patterns for n <= 16, so that p >= 2 / 2^n; otherwise (1 + count) / (1 + flips) over 100,000 random
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
        sums = sizes[:1]  # the first sign stays: the other half of the patterns mirrors this one
        for size in sizes[1:]:
            sums = np.concatenate([sums + size, sums - size])
        return SignFlip(float(np.mean(np.abs(sums) >= least)), 0.0)
    random = np.random.RandomState(seed)
    count = 0
    for _ in range(_FLIPS // _BATCH):
        signs = 2.0 * random.randint(0, 2, (_BATCH, len(sizes)), dtype=np.int8) - 1
        count += int(np.count_nonzero(np.abs(signs @ sizes) >= least))
    p = (1 + count) / (1 + _FLIPS)
    return SignFlip(p, math.sqrt(p * (1 - p) / _FLIPS))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p values in input order by Holm's step-down method (Scand. J. Statistics 6, 1979).

    Rejecting those <= level keeps the chance of any false rejection <= level, however the tests depend on
    each other. NaN, a test that was not made, stays NaN and does not count. Raises ValueError for p values
    outside [0, 1].
    """
    made = sorted((p, index) for index, p in enumerate(p_values) if not math.isnan(p))
    adjusted = [math.nan] * len(p_values)
    largest = 0.0
    for rank, (p, index) in enumerate(made):
        if not 0 <= p <= 1:
            raise ValueError(f"p value {p} is outside [0, 1]")
        largest = max(largest, min(1.0, (len(made) - rank) * p))
        adjusted[index] = largest
    return adjusted


def probability_of_outperforming(
    values: Sequence[float], baseline: Sequence[float], *, higher_is_better: bool = True
) -> float:
    """P(A > B): the share of paired runs in which `values` beat `baseline`, ties half.

    Bouthillier et al. 2021, arXiv 2103.03098. NaN for no runs or where any is NaN. Raises
    ValueError for unequal lengths.
    """
    if len(values) != len(baseline):
        raise ValueError(f"{len(values)} values cannot be paired with {len(baseline)}")
    pairs = list(zip(values, baseline, strict=True))
    if not pairs or any(math.isnan(own) or math.isnan(other) for own, other in pairs):
        return math.nan
    above = sum((own > other) + 0.5 * (own == other) for own, other in pairs) / len(pairs)
    return above if higher_is_better else 1 - above


def seeds_needed(differences: Sequence[float], power: float = 0.8, level: float = 0.05) -> int | None:
    """Smallest number of paired seeds with which a difference as large as the observed one would be found.

    Found: by a two-sided paired t test at `level` with chance >= `power` (noncentral t, Cohen 1988,
    chapter 2), were the true mean and deviation those observed. Never fewer than let the exact sign-flip
    test reach `level`, which is 6 at 0.05; for one of m tests ask at level / m. None when the observed
    difference is 0 or undefined, or more than 10,000 are needed. Raises ValueError unless both are in (0, 1).
    """
    check_fraction("power", power)
    check_fraction("level", level)
    if len(differences) < 2 or not all(map(math.isfinite, differences)):
        return None
    from scipy.stats import nct, t

    mean = math.fsum(differences) / len(differences)
    if mean == 0:
        return None
    fewest = max(2, math.ceil(1 - math.log2(level)))  # 2 / 2^n <= level
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in differences) / (len(differences) - 1))
    if deviation == 0:
        return fewest

    def reached(count: int) -> bool:
        # beyond 40 the chance is 1 and scipy's series fail; the wrong direction is no find
        shift = min(abs(mean) / deviation * math.sqrt(count), 40.0)
        return bool(nct.sf(t.ppf(1 - level / 2, count - 1), count - 1, shift) >= power)

    found = bisect.bisect_left(range(fewest, _MOST_SEEDS + 1), True, key=reached) + fewest
    return found if found <= _MOST_SEEDS else None


def compare_paired(
    values: Mapping[int, float], baseline: Mapping[int, float], *, higher_is_better: bool = True
) -> PairedComparison:
    """Compare a loss with a baseline over the seeds that both have, as scores by seed.

    Bouthillier et al. 2021 (arXiv 2103.03098) and Du 2025 (arXiv 2511.19794): the seed fixes all that
    varies between runs, which makes differences paired. Seeds of only one of the two are counted, not used.
    """
    shared = sorted(values.keys() & baseline.keys())
    own, other = [values[seed] for seed in shared], [baseline[seed] for seed in shared]
    differences = tuple(a - b for a, b in zip(own, other, strict=True))
    p, error = sign_flip_test(differences)
    return PairedComparison(
        n=len(shared),
        unpaired=len(values.keys() ^ baseline.keys()),
        differences=differences,
        difference=paired_interval(differences),
        p=p,
        p_error=error,
        probability=probability_of_outperforming(own, other, higher_is_better=higher_is_better),
        needed=seeds_needed(differences),
        higher_is_better=higher_is_better,
    )
