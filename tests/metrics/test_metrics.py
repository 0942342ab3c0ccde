"""Every metric against values by hand and a plain-loop reference."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest

from lossbench import catalog
from lossbench.evaluation import measure
from lossbench.records import Embedding, Measured

METRICS = catalog.names("metrics")


def embedding(features: object, labels: object, predictions: object | None = None) -> Embedding:
    labels = np.asarray(labels, dtype=np.int64)
    predicted = labels if predictions is None else np.asarray(predictions, dtype=np.int64)
    return Embedding(np.asarray(features, dtype=np.float32), labels, predicted)


def compute(name: str, measured: Measured) -> float:
    value = catalog.load("metrics", name)(measured)
    assert isinstance(value, float)
    return value


# class 0 at (0, 0) and (2, 0), class 1 at (1, 3) and (1, 5): means (1, 0) and (1, 4), all spreads 1
FOUR = embedding([[0, 0], [2, 0], [1, 3], [1, 5]], [0, 0, 1, 1], [0, 1, 1, 1])
BY_HAND = {"accuracy": 0.75, "spread": 1.0, "gap": 4.0, "spread-gap": 0.25, "nn-accuracy": 0.5}


def test_four_points_by_hand() -> None:
    reference = embedding([[0, 1], [2, 1.9], [1, 3.5], [0.5, 5]], [0, 1, 1, 0])
    measured = Measured(tested=FOUR, reference=reference, classes=2)
    assert {name: compute(name, measured) for name in BY_HAND} == pytest.approx(BY_HAND)


def random_measured(seed: int, dim: int, classes: int = 7) -> Measured:
    random = np.random.RandomState(seed)
    centers = 3 * random.randn(classes, dim)

    def part(count: int) -> Embedding:
        labels = np.concatenate([np.arange(classes), random.choice(classes, count - classes)])
        features = centers[labels] + random.randn(count, dim) * (0.2 + labels[:, None])
        return embedding(features, labels, random.choice(classes, count))

    return Measured(reference=part(150), tested=part(90), classes=classes)


def loop_reference(measured: Measured) -> dict[str, float]:
    x, y, p = (part.tolist() for part in measured.tested[:3])
    reference_x, reference_y, _ = (part.tolist() for part in measured.reference[:3])
    own = {j: [a for a, b in zip(x, y, strict=True) if b == j] for j in sorted(set(y))}
    means = {
        j: [math.fsum(column) / len(points) for column in zip(*points, strict=True)]
        for j, points in own.items()
    }
    spread = math.fsum(
        math.fsum(math.dist(a, means[j]) for a in points) / len(points) for j, points in own.items()
    ) / len(own)
    gap = min(math.dist(a, b) for a, b in itertools.combinations(means.values(), 2))
    nearest = [
        reference_y[min(range(len(reference_x)), key=lambda k: math.dist(a, reference_x[k]))] for a in x
    ]
    return {
        "accuracy": sum(a == b for a, b in zip(p, y, strict=True)) / len(y),
        "spread": spread,
        "gap": gap,
        "spread-gap": spread / gap,
        "nn-accuracy": sum(a == b for a, b in zip(nearest, y, strict=True)) / len(y),
    }


@pytest.mark.parametrize("dim", [1, 2, 3, 8, 40])
@pytest.mark.parametrize("seed", [0, 1])
def test_random_points_against_loops(seed: int, dim: int) -> None:
    measured = random_measured(seed, dim)
    expected = loop_reference(measured)
    assert 0.2 < expected["nn-accuracy"] < 1
    for name, value in expected.items():
        assert compute(name, measured) == pytest.approx(value, rel=1e-6), name


def test_every_metric_of_the_catalogue_is_covered_here() -> None:
    assert set(METRICS) == set(BY_HAND)


@pytest.mark.parametrize("name", METRICS)
def test_one_class_alone(name: str) -> None:
    one = embedding([[0, 0], [0, 2]], [3, 3])
    value = compute(name, Measured(tested=one, reference=one, classes=10))
    expected = {"accuracy": 1.0, "nn-accuracy": 1.0, "spread": 1.0, "gap": math.nan, "spread-gap": math.nan}
    assert value == pytest.approx(expected[name], nan_ok=True)


@pytest.mark.parametrize("name", METRICS)
def test_points_that_all_coincide(name: str) -> None:
    same = embedding([[1, 1]] * 4, [0, 0, 1, 1])
    value = compute(name, Measured(tested=same, reference=same, classes=2))
    expected = {"accuracy": 1.0, "nn-accuracy": 0.5, "spread": 0.0, "gap": 0.0, "spread-gap": math.nan}
    assert value == pytest.approx(expected[name], nan_ok=True)


def test_class_means_that_coincide_have_an_infinite_ratio() -> None:
    crossed = embedding([[-1, 0], [1, 0], [0, -1], [0, 1]], [0, 0, 1, 1])
    assert compute("spread-gap", Measured(tested=crossed, reference=crossed, classes=2)) == math.inf


def doubled(part: Embedding) -> Embedding:
    return Embedding(*(np.concatenate([array, array]) for array in part[:3]))


@pytest.mark.parametrize("name", METRICS)
def test_duplicates_change_nothing(name: str) -> None:
    measured = random_measured(5, 2)
    twice = Measured(reference=doubled(measured.reference), tested=doubled(measured.tested), classes=7)
    assert compute(name, twice) == pytest.approx(compute(name, measured), rel=1e-9)


@pytest.mark.parametrize("name", METRICS)
def test_the_order_of_samples_changes_nothing(name: str) -> None:
    measured = random_measured(6, 2)
    order = np.random.RandomState(0).permutation(90)
    tested = Embedding(*(part[order] for part in measured.tested[:3]))
    mixed = Measured(reference=measured.reference, tested=tested, classes=7)
    assert compute(name, mixed) == pytest.approx(compute(name, measured), rel=1e-9)


def test_far_from_the_origin_no_digit_is_lost() -> None:
    points = random_measured(7, 2).tested
    moved = embedding(points.features.round(2) + 4096, points.labels)
    exact = embedding(moved.features.astype(np.float64) - 4096, points.labels)
    for name in ("spread", "gap", "spread-gap"):
        assert compute(name, Measured(tested=moved, reference=moved, classes=7)) == pytest.approx(
            compute(name, Measured(tested=exact, reference=exact, classes=7)), rel=1e-6
        )


def test_the_ratio_is_free_of_scale_and_of_the_reference() -> None:
    measured = random_measured(8, 2)
    larger = dataclasses.replace(
        measured, tested=measured.tested._replace(features=1000 * measured.tested.features), _known={}
    )
    assert compute("spread-gap", larger) == pytest.approx(compute("spread-gap", measured), rel=1e-5)
    other = dataclasses.replace(measured, reference=random_measured(9, 2).reference, _known={})
    for name in ("accuracy", "spread", "gap", "spread-gap"):
        assert compute(name, other) == compute(name, measured)


def test_all_metrics_are_measured_on_test_with_train_as_reference() -> None:
    measured = random_measured(10, 2)
    found = measure(measured)
    assert found == {name: compute(name, measured) for name in METRICS}
    assert list(found) == list(METRICS)


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_features_that_are_not_finite_have_no_metrics(split: str, value: float) -> None:
    measured = random_measured(11, 2)
    part = measured.reference if split == "train" else measured.tested
    part.features[3, 1] = value
    with pytest.raises(ValueError, match="not finite"):
        measure(measured)
