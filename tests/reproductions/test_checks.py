"""The checks on made-up results with a known answer: every one says both verdicts, and when it cannot."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import linregress, ttest_rel

from lossbench.reproductions import Check, CheckResult, Results, apply_rules, overall
from lossbench.reproductions._checks import (
    attack_is_stronger,
    axis_scale,
    equal,
    even_directions,
    greater,
    never_below,
    not_testable,
    target_curve,
    trend,
    within,
)

SEEDS = 20


def made_up(number: str, **means: float) -> Results:
    """Numbers with small paired noise around the means of the groups, which are exact."""
    random = np.random.RandomState(0)
    shared = random.normal(0, 0.1, SEEDS)
    results = {}
    for group, mean in means.items():
        noise = shared + random.normal(0, 0.01, SEEDS)
        results[group] = {seed: {number: mean + noise[seed] - noise.mean()} for seed in range(SEEDS)}
    return results


def one(check: Check, results: Results) -> CheckResult:
    return apply_rules([check], results)[0]


CASES = {
    "greater": (
        greater("gap", "a", than="b"),
        made_up("gap", a=2, b=1),
        made_up("gap", a=1, b=2),
        made_up("gap", a=1, b=1),
    ),
    "rising": (
        trend("gap", "abc", rising=True),
        made_up("gap", a=1, b=2, c=3),
        made_up("gap", a=3, b=2, c=1),
        made_up("gap", a=1, b=1, c=1),
    ),
    "falling": (
        trend("gap", "abc", rising=False),
        made_up("gap", a=3, b=2, c=1),
        made_up("gap", a=1, b=2, c=3),
        made_up("gap", a=1, b=1, c=1),
    ),
    "equal": (
        equal("gap", "a", "b", margin=0.5),
        made_up("gap", a=1, b=1.1),
        made_up("gap", a=1, b=2),
        made_up("gap", a=1, b=1.5),
    ),
    "within": (
        within("gap", "a", 1, 2),
        made_up("gap", a=1.5),
        made_up("gap", a=2.5),
        made_up("gap", a=2),
    ),
    "at least": (
        within("gap", "a", 1),
        made_up("gap", a=1.5),
        made_up("gap", a=0.5),
        made_up("gap", a=1),
    ),
    "axis": (
        axis_scale("a", 100),
        made_up("axis-range", a=150),
        made_up("axis-range", a=10),
        made_up("axis-range", a=200),
    ),
    "directions": (
        even_directions("a"),
        made_up("angular-gap", a=35),
        made_up("angular-gap", a=10),
        made_up("angular-gap", a=28.8),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_check_says_each_verdict_where_it_is_known(name):
    check, holds, fails, unclear = CASES[name]
    assert one(check, holds).verdict == "reproduced"
    assert one(check, fails).verdict == "refuted"
    assert one(check, unclear).verdict == "not distinguishable"
    none = one(check, {group: {} for group in holds})
    assert (none.verdict, none.why) == ("not testable here", "no run has the number")
    single = one(check, {group: {0: runs[0]} for group, runs in holds.items()})
    assert (single.verdict, single.why) == ("not testable here", "fewer than two seeds have the number")


@pytest.mark.parametrize("name", CASES)
def test_the_effect_lies_in_its_interval(name):
    check, holds, *_ = CASES[name]
    result = one(check, holds)
    assert result.low < result.effect < result.high
    assert result.seeds == SEEDS


def test_effect_and_interval_are_those_of_scipy():
    results = made_up("gap", a=2, b=1.5, c=0)
    columns = [[results[group][seed]["gap"] for seed in range(SEEDS)] for group in "abc"]
    found = one(greater("gap", "a", than="b"), results)
    interval = ttest_rel(columns[0], columns[1]).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    slopes = [linregress(range(3), line).slope for line in zip(*columns, strict=True)]
    assert one(trend("gap", "abc", rising=True), results).effect == pytest.approx(np.mean(slopes))


@pytest.mark.parametrize("middle", [-9, 0.5, 9])
def test_of_three_groups_the_middle_one_does_not_count_in_a_trend(middle):
    rises = trend("gap", "abc", rising=True)
    assert one(rises, made_up("gap", a=0, b=middle, c=1)) == one(rises, made_up("gap", a=0, b=0.5, c=1))


def test_seeds_of_one_group_alone_are_not_used():
    results = made_up("gap", a=2, b=1)
    fewer = {"a": results["a"], "b": {seed: results["b"][seed] for seed in range(1, 11)}}
    assert one(greater("gap", "a", than="b"), fewer).seeds == 10


def test_a_stronger_attack_leaves_less():
    check = attack_is_stronger("robust-accuracy-pgd", "robust-accuracy-fgsm", "a")
    runs = {seed: {"robust-accuracy-pgd": 0.1, "robust-accuracy-fgsm": 0.3} for seed in range(SEEDS)}
    swapped = {
        seed: dict(zip(values, [*values.values()][::-1], strict=True)) for seed, values in runs.items()
    }
    assert one(check, {"a": runs}).verdict == "reproduced"
    assert one(check, {"a": swapped}).verdict == "refuted"


def test_a_single_run_below_the_bound_refutes_it():
    check = never_below("smallest_loss", "a", 1.0)
    values = {seed: {"smallest_loss": 1.0 + seed} for seed in range(3)}
    assert one(check, {"a": values}).verdict == "reproduced"
    refuted = one(check, {"a": values | {3: {"smallest_loss": 0.999}}})
    assert (refuted.verdict, refuted.seeds, refuted.effect) == ("refuted", 4, pytest.approx(-0.001))
    assert all(map(math.isnan, (refuted.low, refuted.high, refuted.p_holm)))  # there is no test


def test_the_curve_of_a_loss_is_compared_with_a_formula():
    settings = {"margin": 0.5, "scale": 64.0}
    right = target_curve("arcface", settings, lambda angle: math.cos(angle + 0.5), text="cos(θ + 0.5)")
    wrong = target_curve("arcface", settings, lambda angle: math.cos(angle + 0.4), text="cos(θ + 0.4)")
    assert [one(check, {}).verdict for check in (right, wrong)] == ["reproduced", "refuted"]
    result = one(wrong, {})
    assert (result.seeds, result.effect) == (0, pytest.approx(0.0998, abs=1e-3))
    assert all(map(math.isnan, (result.low, result.high, result.p_holm)))


def test_a_claim_that_cannot_be_tested_says_why():
    result = one(not_testable("faces are recognised better", "there are no faces here"), {})
    assert (result.verdict, result.why) == ("not testable here", "there are no faces here")
    assert math.isnan(result.p_holm)


def test_holm_counts_all_rules_of_a_reproduction():
    results = made_up("gap", a=1.003, b=1)
    check = greater("gap", "a", than="b")
    alone, *_ = apply_rules([check], results)
    among, *_ = apply_rules([check] * 4, results)
    assert among.p_holm == pytest.approx(min(1, 4 * alone.p_holm))


def test_a_quick_run_decides_nothing():
    check, holds, *_ = CASES["greater"]
    (result,) = apply_rules([check], holds, decides=False)
    assert (result.verdict, result.why) == ("not testable here", "a quick run decides nothing")
    assert result.effect == pytest.approx(1, abs=0.1)


def test_one_refuted_rule_refutes_the_whole_and_untested_ones_do_not_count():
    holds, fails, unclear = (
        one(*pair) for pair in zip([CASES["greater"][0]] * 3, CASES["greater"][1:], strict=True)
    )
    untested = one(not_testable("claim", "why"), {})
    assert overall([holds, fails, unclear]) == "refuted"
    assert overall([holds, unclear, untested]) == "not distinguishable"
    assert overall([holds, untested]) == "reproduced"
    assert overall([untested]) == "not testable here"


def test_the_interval_of_a_fraction_ends_at_0_and_1():
    values = {seed: dict.fromkeys(("robust-accuracy-pgd", "gap"), 0.9 * (seed == 0)) for seed in range(9)}
    fraction, distance = (one(within(name, "a", 0.5), {"a": values}) for name in values[0])
    assert fraction.low == 0
    assert distance.low < 0
    whole = {seed: {"test_accuracy": 1 - 0.9 * (seed == 0)} for seed in range(9)}
    assert one(within("test_accuracy", "a", 0.5), {"a": whole}).high == 1
