"""Intervals over seeds, and whether one loss differs from another over the same seeds or data sets.

Numpy and scipy are imported where they are used: the command line imports this module for every `--help`.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import numpy as np

Verdict = Literal["better", "worse", "not distinguishable"]

_EXACT = 16  # with up to this many differences all 2^n sign patterns are tried
_FLIPS = 100_000
_BATCH = 1_000  # flips drawn at once, so that memory does not grow with their number
_TIE = 1e-9  # scores are rounded, so that equal statistics differ by up to 1e-12 of their size
_MOST_SEEDS = 10_000


class Interval(NamedTuple):
    """A mean and the half width of its interval; the half width of fewer than two values is NaN."""

    mean: float
    half_width: float
    n: int


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
        _check_fraction("level", level)
        if not (adjusted_p <= level and abs(self.difference.mean) > self.difference.half_width):
            return "not distinguishable"
        return "better" if (self.difference.mean > 0) == self.higher_is_better else "worse"


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
    _check_fraction("confidence", confidence)
    return mean_interval(differences, confidence)


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
    least = abs(math.fsum(differences)) - _TIE * math.fsum(sizes)
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
    _check_fraction("power", power)
    _check_fraction("level", level)
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


def mean_ranks(scores: np.ndarray, *, higher_is_better: bool = True) -> np.ndarray:
    """Mean rank of each method over blocks, 1 the best, ties sharing their mean (Friedman 1937).

    `scores` is (blocks, methods); a block is what makes scores comparable, such as a data set. Raises
    ValueError for other shapes, for none, and for scores that are not finite: a method without a score has
    no rank.
    """
    scores = _check_blocks(scores)
    ranks: np.ndarray = _ranks(-scores if higher_is_better else scores).mean(axis=0)
    return ranks


def friedman_p(scores: np.ndarray) -> float:
    """P value of Friedman's test (1937) that no method tends to rank above another, corrected for ties.

    `scores` and errors are those of `mean_ranks`; the chi-squared approximation is rough below some ten
    blocks. 1 where every block is tied, NaN for fewer than two blocks or three methods.
    """
    ranks = _ranks(_check_blocks(scores))
    if ranks.shape[0] < 2 or ranks.shape[1] < 3:
        return math.nan
    if (ranks == ranks[:, :1]).all():
        return 1.0  # scipy divides by zero here
    from scipy.stats import friedmanchisquare

    return float(friedmanchisquare(*ranks.T).pvalue)


def indistinguishable_groups(
    scores: np.ndarray, *, higher_is_better: bool = True, level: float = 0.05
) -> list[tuple[int, ...]]:
    """Maximal groups of two or more methods, consecutive in mean rank, of which no pair differs.

    Pairs are compared by Wilcoxon's signed-rank test over blocks, Holm over all pairs: Nemenyi's test lets
    the other methods decide about a pair (Benavoli et al. 2016, JMLR 17(5)). It is exact also with ties, as
    `sign_flip_test` of signed ranks, zero differences ranked (Pratt 1959). Below six blocks no pair can
    differ at 0.05. Groups hold column numbers, best first; `scores` and errors are those of `mean_ranks`.
    """
    _check_fraction("level", level)
    ranks = mean_ranks(scores, higher_is_better=higher_is_better)
    scores = _check_blocks(scores)
    order = [int(method) for method in ranks.argsort(kind="stable")]
    pairs = list(combinations(range(len(order)), 2))
    raw = [sign_flip_test(_signed_ranks(scores[:, order[i]] - scores[:, order[j]])).p for i, j in pairs]
    different = {pair for pair, p in zip(pairs, holm(raw), strict=True) if p <= level}
    groups, covered = [], 0
    for start in range(len(order)):
        end = start + 1
        while end < len(order) and not any((i, end) in different for i in range(start, end)):
            end += 1
        if end > max(covered, start + 1):
            groups.append(tuple(order[start:end]))
            covered = end
    return groups


def _signed_ranks(differences: np.ndarray) -> list[float]:
    import numpy as np

    return list(np.sign(_rounded(differences)) * _ranks(np.abs(differences)))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1 along the last axis, ties sharing their mean."""
    import numpy as np
    from scipy.stats import rankdata

    return np.asarray(rankdata(_rounded(values), axis=-1))


def _rounded(values: np.ndarray) -> np.ndarray:
    """Values as whole multiples of a billionth of the largest, so that rounding breaks no ties."""
    import numpy as np

    return np.round(values / (np.abs(values).max() or 1.0) / _TIE)


def _check_blocks(scores: np.ndarray) -> np.ndarray:
    import numpy as np

    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 2 or scores.size == 0 or not np.isfinite(scores).all():
        raise ValueError(f"scores of shape {scores.shape} are not finite numbers (blocks, methods)")
    return scores


def _check_fraction(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"{name} {value} is not between 0 and 1")
