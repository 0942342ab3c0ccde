"""Intervals over seeds against scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from lossbench.statistics import mean_interval


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
