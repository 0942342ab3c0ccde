"""Adjusted p values by step-down max-T, against loops over all sign patterns."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from lossbench.statistics import holm, max_t
from lossbench.statistics.paired import sign_flip_test


def by_loops(differences: np.ndarray) -> list[float]:
    """Algorithm 2.8 of Westfall & Young with |t| of the textbook; complete data."""

    def size(values: np.ndarray) -> float:
        return abs(values.mean()) / (values.std(ddof=1) / math.sqrt(len(values)))

    observed = [size(row) for row in differences]
    order = sorted(range(len(differences)), key=lambda row: -observed[row])
    adjusted, before = [0.0] * len(differences), 0.0
    for place, row in enumerate(order):
        patterns = list(itertools.product((1, -1), repeat=differences.shape[1]))
        hits = sum(
            max(size(differences[each] * signs) for each in order[place:]) >= observed[row] * (1 - 1e-9)
            for signs in patterns
        )
        before = adjusted[row] = max(before, hits / len(patterns))
    return adjusted


@pytest.mark.parametrize("seeds", [4, 6])
def test_it_is_the_loop_over_all_patterns(seeds: int) -> None:
    differences = np.random.default_rng(seeds).normal([[0.0], [0.5], [3.0]], 1.0, (3, seeds))
    np.testing.assert_allclose(max_t(differences), by_loops(differences))


def test_of_one_loss_it_is_the_sign_flip_test() -> None:
    differences = np.random.default_rng(1).normal(0.4, 1.0, 9)
    assert max_t(differences[None])[0] == pytest.approx(sign_flip_test(differences.tolist()).p)


def test_many_losses_over_ten_seeds_can_differ_where_holm_cannot() -> None:
    """A large difference among fifty that are none."""
    differences = np.random.default_rng(0).normal(0.0, 1.0, (53, 10))
    differences[7] = 50 + 0.1 * differences[7]
    adjusted = max_t(differences)
    assert adjusted[7] == 2 / 2**10
    assert min(p for loss, p in enumerate(adjusted) if loss != 7) > 0.05
    assert min(holm([sign_flip_test(row.tolist()).p for row in differences])) > 0.05


def test_missing_seeds_and_losses_that_never_differ() -> None:
    differences = np.array([[1.0, 2.0, 3.0, math.nan], [0.0] * 4, [math.nan] * 4, [1.0] * 4])
    adjusted = max_t(differences)
    assert adjusted[0] >= 2 / 2**3
    assert adjusted[1] == 1
    assert math.isnan(adjusted[2])
    assert adjusted[3] == 2 / 2**4
    assert max_t(np.zeros((0, 4))) == []


def test_the_level_is_kept_among_losses_that_share_a_baseline() -> None:
    random, found = np.random.default_rng(3), 0
    for _ in range(300):
        runs = random.standard_t(3, (9, 7))
        found += min(max_t(runs[1:] - runs[0])) <= 0.05
    assert found / 300 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)


def test_random_patterns_beyond_sixteen_seeds() -> None:
    differences = np.random.default_rng(5).normal([[0.0], [2.0]], 1.0, (2, 18))
    none, large = max_t(differences)
    assert none > 0.05
    assert 1e-5 <= large < 0.001
