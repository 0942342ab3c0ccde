"""Paired comparisons by hand, against loops and scipy, and by simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lossbench.statistics import paired
from lossbench.statistics.intervals import mean_interval
from lossbench.statistics.paired import (
    compare_paired,
    holm,
    max_t,
    probability_of_outperforming,
    seeds_needed,
    sign_flip_test,
)

# a grid like that of accuracies: ties are common, and sums of different order differ by rounding
DIFFERENCES = st.lists(st.integers(-60, 60).map(lambda k: k / 10_000), min_size=2, max_size=10)
P_VALUES = st.lists(st.floats(0, 1) | st.just(math.nan), max_size=12)


def flip_reference(counts):
    """Over whole numbers, where equal sums are equal: the share of sign patterns as extreme as the data."""
    patterns = itertools.product((-1, 1), repeat=len(counts))
    sums = [abs(sum(s * c for s, c in zip(signs, counts, strict=True))) for signs in patterns]
    return sum(value >= abs(sum(counts)) for value in sums) / len(sums)


def holm_reference(p_values):
    """Holm 1979 as a loop of rejections: the level at which each hypothesis just falls."""
    left, level, fell = dict(enumerate(p_values)), 0.0, {}
    while left:
        weakest = min(left, key=left.get)
        level = max(level, min(1, len(left) * left.pop(weakest)))
        fell[weakest] = level
    return [fell[index] for index in range(len(p_values))]


def test_sign_flips_by_hand():
    assert sign_flip_test([0.1, 0.2, 0.3, 0.4, 0.5]) == (2 / 32, 0)
    assert sign_flip_test([-0.1, -0.2, -0.3, -0.4, -0.5]) == (2 / 32, 0)
    assert sign_flip_test([1, 1, 1, -1]) == (10 / 16, 0)  # of |4|, |2| x 4, |0| x 6 and their mirrors
    assert sign_flip_test([0, 0, 0]) == (1, 0)
    assert sign_flip_test([0, 0, 3, 1]).p == 0.5  # zeros change nothing


@given(st.lists(st.integers(-60, 60), min_size=2, max_size=9))
@settings(max_examples=60, deadline=None)
def test_sign_flips_are_those_of_brute_force_also_with_ties(counts):
    accuracies = [0.9871 + count / 10_000 for count in counts]
    differences = [accuracy - 0.9871 for accuracy in accuracies]  # k / 10000 with a baseline's rounding
    assert sign_flip_test(differences).p == flip_reference(counts)


@pytest.mark.parametrize("count", [15, 16, 17, 20, 31, 32])
@pytest.mark.parametrize("shift", [0, 9, 25])
def test_sign_flips_of_many_seeds_are_counted_exactly(count, shift):
    """Against the number of patterns of each sum, added up seed by seed in whole numbers."""
    counts = np.random.RandomState(count).randint(-60 + shift, 61 + shift, count).tolist()
    patterns = {0: 1}
    for number in counts:
        totals = {total + sign * number for total in patterns for sign in (-1, 1)}
        patterns = {
            total: patterns.get(total - number, 0) + patterns.get(total + number, 0) for total in totals
        }
    beyond = sum(n for total, n in patterns.items() if abs(total) >= abs(sum(counts)))
    p, error = sign_flip_test([0.9871 + number / 10_000 - 0.9871 for number in counts])
    assert (p, error) == (pytest.approx(beyond / 2**count, rel=1e-12), 0)


@pytest.mark.parametrize("count", [2, 5, 8, 11])
def test_sign_flips_are_those_of_scipy(count):
    differences = np.random.RandomState(count).normal(0.5, 1, count)
    theirs = stats.permutation_test(
        (differences,), lambda x, axis: np.abs(x.mean(axis=axis)), permutation_type="samples",
        alternative="greater", n_resamples=np.inf, vectorized=True,
    )  # fmt: skip
    assert sign_flip_test(differences).p == pytest.approx(theirs.pvalue, rel=1e-12)


@pytest.mark.parametrize("shift", [0.0, 0.3, 0.9])
def test_random_flips_agree_with_all_flips_within_four_errors(shift, monkeypatch):
    differences = np.random.RandomState(3).normal(shift, 1, 16).tolist()
    exact = sign_flip_test(differences)
    monkeypatch.setattr(paired, "_EXACT", 15)
    sampled = sign_flip_test(differences)
    assert exact.error == 0
    assert 0 < sampled.error < 0.002
    assert abs(sampled.p - exact.p) <= 4 * sampled.error
    assert sampled == sign_flip_test(differences)
    assert sampled == sign_flip_test([-value for value in reversed(differences)])
    assert sampled != sign_flip_test(differences, seed=1)


def test_random_flips_never_say_zero():
    p, error = sign_flip_test([0.1] * 40)
    assert p == 1 / 100_001
    assert error == pytest.approx(1e-5, rel=1e-2)
    assert sign_flip_test([0.0] * 40) == (1, 0)


def test_up_to_32_seeds_all_flips_are_counted_and_up_to_16_those_of_several_losses():
    assert sign_flip_test([0.1] * 32) == (2 / 2**32, 0)
    assert sign_flip_test([0.1] * 33).error > 0
    assert max_t(np.full((1, 16), 0.1)) == [2 / 2**16]
    assert max_t(np.full((1, 17), 0.1)) != [2 / 2**17]


@pytest.mark.parametrize("differences", [[], [0.1], [0.1, math.nan, 0.2], [0.1, math.inf]])
def test_no_test_is_no_p_value(differences):
    assert all(math.isnan(value) for value in sign_flip_test(differences))


@given(DIFFERENCES, st.sampled_from([-3.0, -1.0, 0.1, 100.0]), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_sign_flips_know_no_order_scale_or_sign(differences, scale, random):
    p = sign_flip_test(differences).p
    assert 2 / 2 ** len(differences) <= p <= 1
    changed = [scale * value for value in differences]
    random.shuffle(changed)
    assert sign_flip_test(changed).p == p


def test_holm_by_hand():
    # Holm's order: 0.005 x 4, 0.01 x 3, 0.03 x 2, and 0.04 held up by the one before it
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.7, 0.6]) == [1, 1]
    assert holm([]) == []
    nan, first, second = holm([math.nan, 0.02, 0.04])
    assert math.isnan(nan)
    assert (first, second) == (0.04, 0.04)  # two tests were made, not three


@pytest.mark.parametrize("wrong", [-0.1, 1.1, math.inf])
def test_holm_refuses_what_is_no_probability(wrong):
    with pytest.raises(ValueError, match="outside"):
        holm([0.5, wrong])


@given(P_VALUES)
def test_holm_is_the_loop_never_below_the_raw_value_and_keeps_order(p_values):
    adjusted = holm(p_values)
    assert [math.isnan(p) for p in adjusted] == [math.isnan(p) for p in p_values]
    made = [(p, a) for p, a in zip(p_values, adjusted, strict=True) if not math.isnan(p)]
    assert [a for _, a in made] == holm_reference([p for p, _ in made])
    assert all(p <= a <= 1 for p, a in made)
    rising = [a for _, a in sorted(made)]
    assert rising == sorted(rising)


def test_probability_of_outperforming_by_hand():
    differences = [2, 0, -2, 1]
    assert probability_of_outperforming(differences) == 2.5 / 4
    assert probability_of_outperforming(differences, higher_is_better=False) == 1.5 / 4
    assert math.isnan(probability_of_outperforming([]))
    assert math.isnan(probability_of_outperforming([1, math.nan]))


@given(DIFFERENCES)
def test_probabilities_of_both_sides_add_to_one(differences):
    share = probability_of_outperforming(differences)
    assert 0 <= share <= 1
    assert share + probability_of_outperforming([-value for value in differences]) == pytest.approx(1)


def sample(effect, count=10):
    """Numbers whose mean is exactly `effect` deviations."""
    values = np.random.RandomState(0).normal(size=count)
    return ((values - values.mean()) / values.std(ddof=1) + effect).tolist()


# the sizes that G*Power 3.1 gives for the paired t test, two-sided
@pytest.mark.parametrize(
    "effect, power, needed",
    [(0.2, 0.8, 199), (0.5, 0.8, 34), (0.8, 0.8, 15), (0.5, 0.95, 54), (-0.5, 0.8, 34)],
)
def test_seeds_needed_are_those_of_the_tables(effect, power, needed):
    assert seeds_needed(sample(effect), power=power) == needed


def test_seeds_needed_at_the_edges():
    assert seeds_needed(sample(50)) == 6  # fewer cannot reach 0.05 with sign flips
    assert seeds_needed([0.1, 0.1, 0.1]) == 6
    assert seeds_needed([0.1, 0.1, 0.1], level=0.05 / 38) == 11
    assert seeds_needed(sample(0.03)) == pytest.approx((1.959964 + 0.841621) ** 2 / 0.03**2, abs=4)
    assert seeds_needed(sample(0.025)) is None  # 12,560
    assert seeds_needed([0.1, -0.1]) is None
    assert seeds_needed([0.1]) is None
    assert seeds_needed([0.1, math.nan, 0.2]) is None
    with pytest.raises(ValueError, match="power"):
        seeds_needed([1, 2], power=1)
    with pytest.raises(ValueError, match="level"):
        seeds_needed([1, 2], level=0)


def test_seeds_needed_have_the_power_they_promise():
    random = np.random.RandomState(4)
    for effect in (0.6, 1.1):
        runs = random.normal(effect, 1, (6000, seeds_needed(sample(effect))))
        found = np.mean(stats.ttest_1samp(runs, 0, axis=1).pvalue <= 0.05)
        assert 0.785 <= found <= 0.85  # at least 0.8, and one seed more at most


def test_a_comparison_pairs_by_seed():
    values = {4: 0.99, 0: 0.97, 1: 0.98, 9: 0.5}
    found = compare_paired(values, {0: 0.96, 1: 0.98, 4: 0.96, 2: 0.1, 3: 0.2})
    assert (found.n, found.unpaired) == (3, 3)
    assert found.differences == pytest.approx((0.01, 0, 0.03))
    assert found.difference == mean_interval(found.differences)
    assert found.p == 0.5  # |4|, |4|, |2| and |2|
    assert found.p_error == 0
    assert found.probability == 2.5 / 3


def test_a_comparison_over_no_shared_seed_says_nothing():
    found = compare_paired({0: 1.0}, {1: 2.0})
    assert (found.n, found.unpaired) == (0, 2)
    assert math.isnan(found.p)
    assert math.isnan(found.probability)
    assert found.verdict(found.p) == "not distinguishable"


def test_a_verdict_needs_both_and_knows_the_direction():
    zeros = dict.fromkeys(range(8), 0.0)
    up = {seed: 0.1 + 0.01 * seed for seed in range(8)}
    assert compare_paired(up, zeros).verdict(0.05) == "better"
    assert compare_paired(zeros, up).verdict(0.05) == "worse"
    assert compare_paired(up, zeros, higher_is_better=False).verdict(0.05) == "worse"
    lower = compare_paired(zeros, up, higher_is_better=False)
    assert lower.verdict(0.05) == "better"
    assert lower.probability == 1
    assert compare_paired(up, zeros).verdict(0.051) == "not distinguishable"
    assert compare_paired(up, zeros).verdict(0.051, level=0.06) == "better"
    assert compare_paired(up, zeros).verdict(math.nan) == "not distinguishable"
    one_large = {**dict.fromkeys(range(7), 0.01), 7: 5.0}
    assert compare_paired(one_large, zeros).p == 2 / 256
    assert compare_paired(one_large, zeros).verdict(2 / 256) == "not distinguishable"  # the interval holds 0
    assert compare_paired(dict.fromkeys(range(8), 0.1), zeros).verdict(2 / 256) == "better"
    assert compare_paired(zeros, zeros).verdict(0.01) == "not distinguishable"
    with pytest.raises(ValueError, match="level"):
        compare_paired(up, zeros).verdict(0.01, level=1)


def allowed(level, repeats):
    return level + 3 * math.sqrt(level * (1 - level) / repeats)


def test_sign_flips_keep_their_level_under_heavy_tails():
    random = np.random.RandomState(5)
    p_values = np.array([sign_flip_test(row).p for row in random.standard_t(2, (4000, 8))])
    for level in (0.01, 0.05, 0.2):
        assert np.mean(p_values <= level) <= allowed(level, len(p_values))
    assert np.mean(p_values <= 0.05) > 0.03  # and use it: 12 of 256 patterns


def test_holm_keeps_the_level_of_a_family_that_shares_its_baseline():
    random = np.random.RandomState(6)
    false = 0
    for _ in range(800):
        runs = random.standard_t(3, (6, 8))
        p_values = holm([sign_flip_test(row - runs[0]).p for row in runs[1:]])
        false += min(p_values) <= 0.05
    assert 0 < false / 800 <= allowed(0.05, 800)
