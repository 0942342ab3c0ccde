"""Thresholds chosen on one split and applied to another, and few examples, against plain loops."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from lossbench.metrics import MetricInput
from lossbench.metrics._thresholds import decisions, true_accept_interval
from lossbench.metrics.few_shot import few_shot_accuracies

from .cases import changed, compute, embedding, random_measured

RATES = {"1e-2": 100, "1e-3": 1000}


def split_in_two(seed: int, cosine: bool) -> MetricInput:
    """Validation samples of seven classes; tested are others of three of them, and an eighth."""
    measured = random_measured(seed, 3, cosine=cosine)
    validation = embedding(measured.reference.features, measured.reference.labels)
    labels = np.where(measured.evaluated.labels > 3, 8, measured.evaluated.labels)
    return changed(measured, validation=validation, evaluated=embedding(measured.evaluated.features, labels))


def pairs_of(measured: MetricInput) -> tuple[list[float], list[float], dict[int, list[float]]]:
    """Distances within classes, between classes, and those between by class."""
    points, labels = measured.evaluated.features.astype(np.float64), measured.evaluated.labels.tolist()
    if measured.cosine:
        points = points / np.linalg.norm(points, axis=1, keepdims=True)
    far = np.linalg.norm(points[:, None] - points, axis=2).tolist()
    own, others, by_class = [], [], {label: [] for label in labels}
    for i, j in itertools.combinations(range(len(labels)), 2):
        if labels[i] == labels[j]:
            own.append(far[i][j])
        else:
            others.append(far[i][j])
            by_class[labels[i]].append(far[i][j])
            by_class[labels[j]].append(far[i][j])
    return own, others, by_class


def shown(distance: float, cosine: bool) -> float:
    return 1 - distance**2 / 2 if cosine else distance


@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_thresholds_and_what_they_do_against_loops(seed: int, cosine: bool) -> None:
    measured = split_in_two(seed, cosine)
    _, others, by_class = pairs_of(changed(measured, evaluated=measured.validation))
    tested_own, tested_others, _ = pairs_of(measured)
    for name, one_in in RATES.items():
        threshold = sorted(others)[len(others) // one_in]  # the first pair that is refused
        assert compute(f"threshold-at-far-{name}", measured) == pytest.approx(shown(threshold, cosine))
        accepted = sum(d < threshold for d in tested_own) / len(tested_own)
        assert compute(f"tar-at-threshold-{name}", measured) == pytest.approx(accepted)
        accepted = sum(d < threshold for d in tested_others) / len(tested_others)
        assert compute(f"far-at-threshold-{name}", measured) == pytest.approx(accepted)
        each = [shown(sorted(values)[len(values) // one_in], cosine) for values in by_class.values()]
        assert compute(f"threshold-range-{name}", measured) == pytest.approx(max(each) - min(each))


@pytest.mark.parametrize("cosine", [False, True])
def test_on_the_validation_split_itself_it_is_the_roc_curve(cosine: bool) -> None:
    measured = random_measured(4, 2, cosine=cosine)
    for name, one_in in RATES.items():
        assert compute(f"tar-at-threshold-{name}", measured) == compute(f"tar-at-far-{name}", measured)
        assert compute(f"far-at-threshold-{name}", measured) <= 1 / one_in


def test_the_interval_holds_the_rate_and_shrinks_with_more_images() -> None:
    widths = []
    for count in (1, 4):
        measured = random_measured(5, 2)
        parts = [random_measured(seed, 2).evaluated for seed in (5, 5, 5, 5)[:count]]
        moved = [part.features + 0.1 * np.random.RandomState(n).randn(*part.features.shape) for n, part in
                 enumerate(parts)]  # fmt: skip
        tested = embedding(np.concatenate(moved), np.concatenate([part.labels for part in parts]))
        measured = changed(measured, evaluated=tested)
        low, high = true_accept_interval(measured)
        rates = measured.cached(decisions).true_accepts
        assert (low <= rates).all()
        assert (rates <= high).all()
        assert np.array_equal(true_accept_interval(measured), [low, high])
        widths.append(high[0] - low[0])
    assert 0 < widths[1] < widths[0]


def test_the_interval_covers_the_true_rate_about_as_often_as_it_says() -> None:
    """Two classes far apart; a pair of one class is accepted when it is nearer than 1, about half of them."""
    random, covered = np.random.RandomState(0), []
    validation = embedding([[0.0], [1.0], [9.0]], [0, 1, 1])  # the nearest pair of two classes: 1
    exact = math.erf(1 / 2)  # |a - b| < 1 for a, b of deviation 1
    for _ in range(60):
        points = np.concatenate([random.randn(40, 1), 1000 + random.randn(40, 1)])
        tested = embedding(points, np.repeat([0, 1], 40))
        measured = MetricInput(evaluated=tested, reference=tested, validation=validation, classes=2)
        low, high = true_accept_interval(measured)
        covered.append(low[0] <= exact <= high[0])
    assert np.mean(covered) > 0.85


def test_the_interval_is_that_of_a_bootstrap_in_loops() -> None:
    """Of other random numbers, so that the ends agree within a tenth of the width: 90 % would be a sixth less."""
    random = np.random.RandomState(1)
    points = np.concatenate([random.randn(30), 1000 + random.randn(20)])
    tested = embedding(points[:, None], np.repeat([0, 1], [30, 20]))
    validation = embedding([[0.0], [1.0], [9.0]], [0, 1, 1])  # accepted: nearer than 1
    measured = MetricInput(evaluated=tested, reference=tested, validation=validation, classes=2)
    rates = []
    for _ in range(2000):
        accepted = pairs = 0
        for own in (np.arange(30), np.arange(30, 50)):
            drawn = random.choice(own, len(own))
            others = drawn[:, None] != drawn  # an image that was drawn twice is no pair
            accepted += int((others & (abs(points[drawn][:, None] - points[drawn]) < 1)).sum())
            pairs += int(others.sum())
        rates.append(accepted / pairs)
    expected = np.quantile(rates, [0.025, 0.975])
    width = expected[1] - expected[0]
    assert true_accept_interval(measured)[:, 0] == pytest.approx(expected, abs=0.06 * width)


def test_without_pairs_there_is_no_rate() -> None:
    one = embedding([[0, 1], [2, 3]], [0, 0])
    alone = MetricInput(evaluated=one, reference=one, validation=one, classes=1)
    for name in ("threshold-at-far", "threshold-range", "tar-at-threshold", "far-at-threshold"):
        assert math.isnan(compute(f"{name}-1e-2", alone))
    assert np.isnan(true_accept_interval(alone)).all()


@pytest.mark.parametrize("cosine", [False, True])
def test_few_examples_against_loops(cosine: bool) -> None:
    measured = random_measured(7, 2, cosine=cosine)
    points = measured.evaluated.features.astype(np.float64)
    if cosine:
        points = (points / np.linalg.norm(points, axis=1, keepdims=True)).round(12)
    labels = measured.evaluated.labels
    order = sorted(range(len(labels)), key=lambda i: (labels[i], *points[i][::-1]))
    points, labels = points[order], labels[order].tolist()
    members = [[i for i, label in enumerate(labels) if label == each] for each in sorted(set(labels))]
    random, found = np.random.default_rng(0), []
    for _ in range(100):
        drawn = [random.choice(each, 2, replace=False).tolist() for each in members]
        means = [points[each].mean(axis=0) for each in drawn]
        if cosine:
            means = [mean / np.linalg.norm(mean) for mean in means]
        right = [
            min(range(len(members)), key=lambda j, i=i: np.linalg.norm(points[i] - means[j])) == label
            for label, own in enumerate(members)
            for i in own
            if i not in drawn[label]
        ]
        found.append(sum(right) / len(right))
    np.testing.assert_allclose(few_shot_accuracies(measured, 2), found)
    spread = np.std(few_shot_accuracies(measured, 1), ddof=1) / 10
    assert compute("1-shot-half-width", measured) == pytest.approx(1.984217 * spread, rel=1e-5)
    assert compute("1-shot", measured) == pytest.approx(few_shot_accuracies(measured, 1).mean())


def test_more_examples_are_better_and_a_class_needs_one_more_than_is_drawn() -> None:
    random = np.random.RandomState(0)
    labels = np.arange(210) % 7
    points = 3 * np.random.RandomState(1).randn(7, 4)[labels] + 2 * random.randn(210, 4)
    part = embedding(points, labels)
    measured = MetricInput(evaluated=part, reference=part, classes=7)
    values = [compute(name, measured) for name in ("1-shot", "5-shot", "20-shot")]
    assert values == sorted(values)
    assert 0.5 < values[0] < values[2] < 1
    few = embedding(points[:140], labels[:140])
    assert math.isnan(compute("20-shot", MetricInput(evaluated=few, reference=few, classes=7)))
