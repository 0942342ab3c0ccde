"""Two one-sided t tests against a range: SciPy as the oracle, both answers, edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from lossbench.statistics import equivalence_test

VALUES = np.random.RandomState(0).normal(0.3, 1.0, 20)


@pytest.mark.parametrize("low, high", [(-1, 1), (0.2, 0.4), (1, 2), (-2, -1)])
def test_p_values_are_those_of_scipy(low, high):
    found = equivalence_test(VALUES.tolist(), low, high)

    def p(bound, side):
        return ttest_1samp(VALUES, bound, alternative=side).pvalue

    assert found.p_inside == pytest.approx(max(p(low, "greater"), p(high, "less")))
    assert found.p_outside == pytest.approx(min(1, 2 * min(p(low, "less"), p(high, "greater"))))
    assert found.mean.mean == pytest.approx(VALUES.mean())


def test_a_range_with_one_end_is_a_one_sided_test():
    found = equivalence_test(VALUES.tolist(), 0.0, math.inf)
    assert found.p_inside == pytest.approx(ttest_1samp(VALUES, 0, alternative="greater").pvalue)
    assert found.p_outside == pytest.approx(1 - found.p_inside)


@pytest.mark.parametrize("value, inside, outside", [(0.5, 0, 1), (2, 1, 0), (1, 1, 1)])
def test_equal_values_are_inside_outside_or_at_the_end(value, inside, outside):
    found = equivalence_test([value] * 3, 0, 1)
    assert (found.p_inside, found.p_outside > 0.05) == (inside, bool(outside))


@pytest.mark.parametrize("values", [[], [1.0], [1.0, math.nan], [1.0, math.inf]])
def test_without_two_finite_values_no_test_is_made(values):
    found = equivalence_test(values, 0, 2)
    assert math.isnan(found.p_inside) and math.isnan(found.p_outside)


def test_a_range_has_two_ends():
    with pytest.raises(ValueError, match="empty"):
        equivalence_test([1.0, 2.0], 1, 1)


def test_the_level_is_kept_at_the_end_of_the_range():
    random = np.random.RandomState(1)
    samples = random.normal(1.0, 1.0, (400, 20))  # the true mean is the end: neither inside nor outside
    found = [equivalence_test(sample.tolist(), -1.0, 1.0) for sample in samples]
    assert np.mean([each.p_inside <= 0.05 for each in found]) < 0.08
    assert np.mean([each.p_outside <= 0.05 for each in found]) < 0.08
