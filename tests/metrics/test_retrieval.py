"""Retrieval against pytorch-metric-learning and plain loops, ties included."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.distances import CosineSimilarity, LpDistance
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from pytorch_metric_learning.utils.inference import CustomKNN

from lossbench.metrics import MetricInput
from lossbench.metrics import _retrieval as retrieval

from .cases import DIMENSIONS, compute, measured_of, on_rays, random_measured

THEIRS = {
    "recall-at-1": "precision_at_1",
    "r-precision": "r_precision",
    "map-at-r": "mean_average_precision_at_r",
}


@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize("dim", DIMENSIONS)
def test_random_points_against_pytorch_metric_learning(dim: int, cosine: bool) -> None:
    if cosine and dim == 1:
        pytest.skip("two directions: nothing but ties")
    distance = CosineSimilarity() if cosine else LpDistance(normalize_embeddings=False)
    theirs = AccuracyCalculator(
        include=tuple(THEIRS.values()), k="max_bin_count", knn_func=CustomKNN(distance)
    )
    for seed in range(3):
        measured = random_measured(seed, dim, cosine=cosine)
        features = torch.from_numpy(measured.evaluated.features).double()
        expected = theirs.get_accuracy(features, torch.from_numpy(measured.evaluated.labels))
        for name, other in THEIRS.items():
            assert 0.1 < expected[other] < 1
            assert compute(name, measured) == pytest.approx(expected[other]), name


@pytest.mark.parametrize("cosine", [False, True])
def test_both_distances_are_measured_whatever_the_loss_compares_by(cosine: bool) -> None:
    measured = random_measured(4, 3, cosine=cosine)
    expected = {
        name: compute("map-at-r", random_measured(4, 3, cosine=by_angle))
        for name, by_angle in (("map-at-r-euclidean", False), ("map-at-r-cosine", True))
    }
    assert expected["map-at-r-euclidean"] != expected["map-at-r-cosine"]
    assert {name: compute(name, measured) for name in expected} == expected


def distances(measured: MetricInput) -> list[list[float]]:
    """Of whole numbers: exact, and of cosines equal for features on one ray."""
    x = measured.evaluated.features.astype(np.int64)
    if not measured.cosine:
        return [[int(((a - b) ** 2).sum()) for b in x] for a in x]
    rays = [tuple(int(v) for v in a // max(1, np.gcd.reduce(a))) for a in x]
    return [[math.dist(a, b) and angle(a, b) for b in rays] for a in rays]


def angle(a: tuple[int, ...], b: tuple[int, ...]) -> float:
    lengths = math.hypot(*a) * math.hypot(*b)
    return 1 - sum(x * y for x, y in zip(a, b, strict=True)) / lengths


def by_loops(measured: MetricInput) -> dict[str, float]:
    labels = measured.evaluated.labels.tolist()
    queries = []
    for i, (row, label) in enumerate(zip(distances(measured), labels, strict=True)):
        ranked = sorted((row[j], labels[j] == label) for j in range(len(row)) if j != i)  # False before True
        hits = [own for _, own in ranked]
        wanted = sum(hits)
        if wanted:
            precision = [sum(hits[: k + 1]) / (k + 1) * hits[k] for k in range(wanted)]
            queries.append((hits[0], sum(hits[:wanted]) / wanted, sum(precision) / wanted))
    means = np.mean(queries, axis=0) if queries else [math.nan] * 3
    return dict(zip(THEIRS, means, strict=True))


def assert_equal(measured: MetricInput) -> None:
    for name, value in by_loops(measured).items():
        assert compute(name, measured) == pytest.approx(value, nan_ok=True), name


@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize("dim", DIMENSIONS)
def test_samples_that_coincide_against_loops(dim: int, cosine: bool) -> None:
    for seed in range(5):
        assert_equal(on_rays(seed, dim, cosine))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-2, 2), st.integers(-2, 2), st.integers(0, 3)), min_size=1, max_size=20)
)
def test_any_points_of_a_small_grid_against_loops(samples: list[tuple[int, int, int]]) -> None:
    array = np.array(samples)
    assert_equal(measured_of(array[:, :2], array[:, 2]))


def test_of_equally_near_samples_the_other_class_comes_first() -> None:
    measured = measured_of([[0], [1], [-1], [1]], [0, 0, 1, 1])
    # first finds: 0 ties with 1, -1 and 1: other; 1 its copy of the other class; -1: 0; 1: its copy
    assert compute("recall-at-1", measured) == 0
    assert compute("map-at-r", measured) == 0


def test_lone_samples_are_found_but_do_not_ask() -> None:
    measured = measured_of([[0], [1], [0.5], [9]], [0, 0, 1, 2])
    assert compute("recall-at-1", measured) == 0
    assert compute("recall-at-1", measured_of([[0], [1], [4], [9]], [0, 0, 1, 2])) == 1


def test_any_number_of_distances_at_once_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = {name: compute(name, random_measured(4, 3)) for name in THEIRS}
    for cells in (1, 1000):
        monkeypatch.setattr(retrieval, "_CELLS", cells)
        assert {name: compute(name, random_measured(4, 3)) for name in THEIRS} == pytest.approx(whole)
