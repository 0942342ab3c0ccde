"""Mean ranks of methods over data sets, and groups of methods that are not distinguishable.

NumPy and SciPy are imported where they are used, because every command imports this module.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from .intervals import check_fraction
from .paired import TIE, holm, sign_flip_test

if TYPE_CHECKING:
    import numpy as np


def mean_ranks(scores: np.ndarray, *, higher_is_better: bool = True) -> np.ndarray:
    """Mean rank of each method over blocks, 1 the best, ties sharing their mean (Friedman 1937).

    `scores` is (blocks, methods); a block is what makes scores comparable, such as a data set. Raises
    ValueError for other shapes, for none, and for scores that are not finite: a method without a score has
    no rank.
    """
    scores = _check_blocks(scores)
    ranks: np.ndarray = _ranks(-scores if higher_is_better else scores).mean(axis=0)
    return ranks


def indistinguishable_groups(
    scores: np.ndarray, *, higher_is_better: bool = True, level: float = 0.05
) -> list[tuple[int, ...]]:
    """Maximal groups of two or more methods, consecutive in mean rank, of which no pair differs.

    Pairs are compared by Wilcoxon's signed-rank test over blocks, Holm over all pairs: Nemenyi's test lets
    the other methods decide about a pair (Benavoli et al. 2016, JMLR 17(5)). It is exact also with ties, as
    `sign_flip_test` of signed ranks, zero differences ranked (Pratt 1959). Below six blocks no pair can
    differ at 0.05. Groups hold column numbers, best first; `scores` and errors are those of `mean_ranks`.
    """
    check_fraction("level", level)
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

    return np.round(values / (np.abs(values).max() or 1.0) / TIE)


def _check_blocks(scores: np.ndarray) -> np.ndarray:
    import numpy as np

    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 2 or scores.size == 0 or not np.isfinite(scores).all():
        raise ValueError(f"scores of shape {scores.shape} are not finite numbers (blocks, methods)")
    return scores
