"""Intervals over seeds, and ranks over data sets, against scipy and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from lossbench.statistics.intervals import mean_interval
from lossbench.statistics.paired import holm, sign_flip_test
from lossbench.statistics.ranks import indistinguishable_groups, mean_ranks

# five methods over eight blocks: the first two alternate at the front, the next two behind them, the last last
STAIRS = np.array([[9, 8.5, 4, 3.5, 1], [8.5, 9, 3.5, 4, 1]] * 4) + np.arange(8)[:, None]


def test_a_case_by_hand() -> None:
    # mean 3, deviation sqrt(2.5), t(0.975, 4) = 2.776445
    interval = mean_interval([1, 2, 3, 4, 5])
    assert interval.mean == 3
    assert interval.half_width == pytest.approx(2.776445 * math.sqrt(2.5 / 5), rel=1e-6)
    assert interval.n == 5


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("count", [2, 3, 10, 50])
def test_it_is_the_student_interval_of_scipy(count: int, confidence: float) -> None:
    values = np.random.RandomState(count).normal(98.5, 0.2, count)
    low, high = stats.t.interval(confidence, count - 1, loc=values.mean(), scale=stats.sem(values))
    interval = mean_interval(values.tolist(), confidence)
    assert interval.mean - interval.half_width == pytest.approx(low, rel=1e-12)
    assert interval.mean + interval.half_width == pytest.approx(high, rel=1e-12)
    assert interval.n == count


def test_one_value_has_no_interval_and_none_has_no_mean() -> None:
    one = mean_interval([0.5])
    assert (one.mean, one.n) == (0.5, 1)
    assert math.isnan(one.half_width)
    none = mean_interval([])
    assert none.n == 0
    assert math.isnan(none.mean)
    assert math.isnan(none.half_width)


def test_equal_values_have_width_zero_and_no_value_is_dropped() -> None:
    assert mean_interval([0.25] * 4) == (0.25, 0, 4)
    assert math.isnan(mean_interval([1.0, math.nan, 2.0]).mean)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    random = np.random.RandomState(0)
    intervals = [mean_interval(random.normal(0, 1, 5).tolist()) for _ in range(2000)]
    covered = np.mean([abs(interval.mean) <= interval.half_width for interval in intervals])
    assert 0.935 < covered < 0.965


@pytest.mark.parametrize("count", [5, 10])
def test_the_paired_interval_holds_the_true_difference_as_often_as_it_says(count: int) -> None:
    random = np.random.RandomState(count)
    seeds = random.normal(98, 1, (4000, count))  # what the two losses share, far more than they differ by
    first, second = (seeds + random.normal(mean, 0.1, seeds.shape) for mean in (0.2, 0.1))
    intervals = [mean_interval(differences) for differences in (first - second).tolist()]
    covered = np.mean([abs(interval.mean - 0.1) <= interval.half_width for interval in intervals])
    assert 0.93 <= covered <= 0.97
    assert np.mean([interval.half_width for interval in intervals]) < 0.2


def test_the_paired_interval_is_that_of_the_one_sample_t_test() -> None:
    differences = np.random.RandomState(1).normal(0.1, 0.2, 7)
    for confidence in (0.9, 0.95):
        mean, half_width, _ = mean_interval(differences.tolist(), confidence)
        theirs = stats.ttest_1samp(differences, 0).confidence_interval(confidence)
        assert (mean - half_width, mean + half_width) == pytest.approx(theirs, rel=1e-12)
    for wrong in (0, 1, 95):
        with pytest.raises(ValueError, match="confidence"):
            mean_interval([1, 2], wrong)


def test_mean_ranks_by_hand_with_ties() -> None:
    scores = np.array([[0.9, 0.8, 0.7], [0.9, 0.9, 0.1]])
    assert mean_ranks(scores).tolist() == [1.25, 1.75, 3]
    assert mean_ranks(scores, higher_is_better=False).tolist() == [2.75, 2.25, 1]
    assert mean_ranks(np.array([[0.1 + 0.2, 0.3]])).tolist() == [1.5, 1.5]  # rounding breaks no tie
    assert mean_ranks(np.zeros((2, 3))).tolist() == [2, 2, 2]


@pytest.mark.parametrize("wrong", [np.zeros(3), np.zeros((0, 3)), np.array([[1, math.nan]])])
def test_scores_that_have_no_rank_are_refused(wrong: np.ndarray) -> None:
    for function in (mean_ranks, indistinguishable_groups):
        with pytest.raises(ValueError, match="shape"):
            function(wrong)


def test_friedmans_statistic_of_the_mean_ranks_is_that_of_scipy() -> None:
    """Without ties it is 12 n / (k (k + 1)) times the squared distances of mean ranks from (k + 1) / 2."""
    scores = np.random.RandomState(2).normal(0, 1, (9, 4))
    squares = float(((mean_ranks(scores) - 2.5) ** 2).sum())
    assert 12 * 9 / (4 * 5) * squares == pytest.approx(stats.friedmanchisquare(*scores.T).statistic)


def test_groups_by_hand() -> None:
    assert indistinguishable_groups(STAIRS, level=0.08) == [(0, 1), (2, 3)]  # 10 pairs at least 2 / 2^8
    assert indistinguishable_groups(STAIRS, level=10 * 2 / 2**8) == [(0, 1), (2, 3)]
    assert indistinguishable_groups(STAIRS) == [(0, 1, 2, 3, 4)]  # 10 x 2 / 2^8 > 0.05
    mirrored = STAIRS[:, ::-1]
    assert indistinguishable_groups(mirrored, level=0.08) == [(3, 4), (1, 2)]
    assert indistinguishable_groups(-STAIRS, higher_is_better=False, level=0.08) == [(0, 1), (2, 3)]
    assert indistinguishable_groups(STAIRS[:, :1]) == []
    assert indistinguishable_groups(np.ones((9, 3))) == [(0, 1, 2)]
    assert indistinguishable_groups(STAIRS[:1]) == [(0, 1, 2, 3, 4)]  # one block tells nothing
    with pytest.raises(ValueError, match="level"):
        indistinguishable_groups(STAIRS, level=5)


def test_groups_are_maximal_and_agree_with_the_wilcoxon_test_of_scipy() -> None:
    random = np.random.RandomState(7)
    for _ in range(5):
        scores = random.normal(np.linspace(0, 3, 6), 1, (12, 6)) * random.lognormal(size=(12, 1))
        order = np.argsort(mean_ranks(scores), kind="stable")
        pairs = [(i, j) for i in range(6) for j in range(i + 1, 6)]
        raw = [
            stats.wilcoxon(scores[:, order[i]], scores[:, order[j]], method="exact").pvalue for i, j in pairs
        ]
        differ = {pair for pair, p in zip(pairs, holm(raw), strict=True) if p <= 0.05}
        alike = [
            range(i, j + 1) for i, j in pairs if not any(i <= a and b <= j for a, b in differ)
        ]  # of those, the ones that no other holds
        largest = [r for r in alike if not any(set(r) < set(other) for other in alike)]
        assert indistinguishable_groups(scores) == [tuple(int(order[k]) for k in r) for r in largest]
        assert 1 <= len(largest) < len(alike)


def test_a_block_of_a_larger_scale_does_not_outvote_the_others() -> None:
    scores = np.array([[1.0, 0.0]] * 12 + [[0.0, 100.0]])
    assert sign_flip_test((scores[:, 0] - scores[:, 1]).tolist()).p > 0.9
    assert indistinguishable_groups(scores) == []  # by ranks 78 against 13
