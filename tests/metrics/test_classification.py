"""Accuracies and probabilities against scikit-learn and plain loops."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from sklearn.metrics import log_loss, top_k_accuracy_score
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid

from lossbench.metrics import MetricInput
from lossbench.metrics import _neighbours as neighbours
from lossbench.training import evaluation

from .cases import DIMENSIONS, changed, compute, embedding, measured_of, on_rays, random_measured

NEIGHBOURS = {
    "nn-accuracy": (1, "euclidean"),
    "knn5-accuracy": (5, "euclidean"),
    "nn-accuracy-cosine": (1, "cosine"),
    "knn5-accuracy-cosine": (5, "cosine"),
}


@pytest.mark.parametrize("name", NEIGHBOURS)
@pytest.mark.parametrize("dim", DIMENSIONS[1:])
def test_neighbours_against_scikit_learn(dim: int, name: str) -> None:
    count, metric = NEIGHBOURS[name]
    for seed in range(5):
        measured = random_measured(seed, dim)
        model = KNeighborsClassifier(count, metric=metric, algorithm="brute")
        model.fit(measured.reference.features.astype(np.float64), measured.reference.labels)
        expected = model.score(measured.evaluated.features.astype(np.float64), measured.evaluated.labels)
        assert 0.2 < expected < 1
        assert compute(name, measured) == pytest.approx(expected)


def distance(a: list[float], b: list[float], cosine: bool) -> float:
    if cosine:
        lengths = math.hypot(*a), math.hypot(*b)
        a, b = ([x / length if length else 0.0 for x in v] for v, length in zip((a, b), lengths, strict=True))
    return round(math.dist(a, b), 9)


def by_loops(measured: MetricInput, count: int, cosine: bool) -> float:
    """Nearest first, then the smallest label; most votes, then the smallest label."""
    x, y = measured.reference.features.tolist(), measured.reference.labels.tolist()
    right = 0
    for a, label in zip(
        measured.evaluated.features.tolist(), measured.evaluated.labels.tolist(), strict=True
    ):
        ranked = sorted((distance(a, b, cosine), other) for b, other in zip(x, y, strict=True))
        votes = Counter(other for _, other in ranked[:count])
        right += label == min(votes, key=lambda other: (-votes[other], other))
    return right / len(measured.evaluated.labels)


@pytest.mark.parametrize("name", NEIGHBOURS)
@pytest.mark.parametrize("dim", DIMENSIONS)
def test_neighbours_that_coincide(dim: int, name: str) -> None:
    """With up to dozens of samples at the same place, of different classes."""
    count, metric = NEIGHBOURS[name]
    cosine = metric == "cosine"
    for seed in range(5):
        measured = on_rays(seed, dim, cosine)
        measured = changed(measured, reference=on_rays(seed, dim, cosine).evaluated)
        assert compute(name, measured) == pytest.approx(by_loops(measured, count, cosine))


def test_of_equally_near_places_the_smallest_label_comes_first() -> None:
    tested = embedding([[0, 0]], [0])
    reference = embedding([[-1, 0], [1, 0], [0, 1], [0, -1], [9, 9]], [1, 2, 0, 1, 0])
    measured = MetricInput(evaluated=tested, reference=reference, classes=3)
    assert neighbours.nearest_by_distance(measured).tolist() == [[0, 1, 1, 2, 0]]
    assert compute("nn-accuracy", measured) == compute("knn5-accuracy", measured) == 1


def test_fewer_training_features_than_neighbours_all_vote() -> None:
    tested = embedding([[0, 0], [9, 9]], [0, 1])
    for labels, expected in (([0, 1, 1], 0.5), ([1, 0], 0.5), ([1], 0.5), ([2], 0)):
        reference = embedding(np.eye(3, 2)[: len(labels)], labels)
        assert (
            compute("knn5-accuracy", MetricInput(evaluated=tested, reference=reference, classes=3))
            == expected
        )


def test_one_search_serves_both_neighbour_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    search = neighbours._nearest
    monkeypatch.setattr(neighbours, "_nearest", lambda *given: calls.append(1) or search(*given))
    measured = random_measured(0, 2)
    for name in NEIGHBOURS:
        compute(name, measured)
    assert len(calls) == 2


@pytest.mark.parametrize("dim", DIMENSIONS)
def test_nearest_mean_against_scikit_learn(dim: int) -> None:
    for seed in range(5):
        measured = random_measured(seed, dim)
        model = NearestCentroid().fit(measured.reference.features, measured.reference.labels)
        expected = model.score(measured.evaluated.features, measured.evaluated.labels)
        assert compute("mean-accuracy", measured) == pytest.approx(expected)


@pytest.mark.parametrize("dim", DIMENSIONS)
def test_nearest_mean_by_cosine_against_loops_and_the_rule_of_pair_losses(dim: int) -> None:
    import torch

    for seed in range(5):
        measured = random_measured(seed, dim, cosine=True)
        x, y = (torch.from_numpy(array) for array in measured.reference[:2])
        means = evaluation.class_means(x, y, 7).double()
        tested = torch.from_numpy(measured.evaluated.features).double()
        predicted = torch.nn.functional.cosine_similarity(tested[:, None], means[None], dim=2)
        predicted = (predicted * 1e12).round().argmax(1).numpy()
        expected = (predicted == measured.evaluated.labels).mean()
        assert compute("mean-accuracy", measured) == pytest.approx(expected)


def test_of_equally_near_means_the_smallest_label_counts() -> None:
    tested = embedding([[0, 0], [0, 5]], [3, 4])
    reference = embedding([[1, 0], [-1, 0]], [4, 3])
    assert compute("mean-accuracy", MetricInput(evaluated=tested, reference=reference, classes=5)) == 0.5


@pytest.mark.parametrize("seed", range(5))
def test_scores_against_scikit_learn(seed: int) -> None:
    measured = random_measured(seed, 2)
    scores = measured.evaluated.scores
    assert scores is not None
    labels, classes = measured.evaluated.labels, np.arange(7)
    assert compute("top2-accuracy", measured) == pytest.approx(
        top_k_accuracy_score(labels, scores, k=2, labels=classes)
    )
    probabilities = np.exp(scores.astype(np.float64))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    assert compute("nll", measured) == pytest.approx(log_loss(labels, probabilities, labels=classes))
    assert compute("ece", measured) == pytest.approx(calibration_by_loops(measured))


def calibration_by_loops(measured: MetricInput) -> float:
    assert measured.evaluated.scores is not None
    bins: dict[int, list[float]] = {}
    for row, label in zip(
        measured.evaluated.scores.tolist(), measured.evaluated.labels.tolist(), strict=True
    ):
        confidence = 1 / math.fsum(math.exp(score - max(row)) for score in row)
        number = next(b for b in range(1, 16) if (b - 1) / 15 < confidence <= b / 15)
        bins.setdefault(number, []).append((row.index(max(row)) == label) - confidence)
    return abs(sum(abs(math.fsum(excess)) for excess in bins.values())) / len(measured.evaluated.labels)


def scored(scores: object, labels: list[int]) -> MetricInput:
    part = embedding(np.zeros((len(labels), 2)), labels, np.argmax(scores, axis=1), scores)
    return MetricInput(evaluated=part, reference=part, classes=3, probabilities=True)


def test_of_equal_scores_the_smaller_label_comes_first() -> None:
    measured = scored(np.zeros((4, 3)), [0, 0, 1, 2])
    assert compute("accuracy", measured) == 2 / 4
    assert compute("top2-accuracy", measured) == 3 / 4


def test_a_bin_of_confidence_holds_its_upper_edge() -> None:
    measured = scored([[0, 0, 0], [0.01, 0, 0]], [0, 1])  # 5/15, right, and a little more, wrong
    assert compute("ece", measured) == pytest.approx((2 / 3 + 1 / 3) / 2, abs=2e-3)


def test_scores_that_are_no_numbers_are_wrong() -> None:
    measured = scored([[math.nan] * 3, [1, -math.inf, 0]], [1, 2])
    assert compute("top2-accuracy", measured) == 0.5


def test_extreme_scores_have_finite_likelihoods() -> None:
    measured = scored([[1000, -1000, 0], [-1000, -1001, -1002]], [1, 0])
    expected = (2000 + math.log(1 + math.exp(-1) + math.exp(-2))) / 2
    assert compute("nll", measured) == pytest.approx(expected)
    assert compute("ece", measured) == pytest.approx(calibration_by_loops(measured))


def test_the_split_itself_is_its_own_nearest_neighbour() -> None:
    measured = random_measured(3, 2)
    itself = measured_of(measured.reference.features, measured.reference.labels)
    assert compute("nn-accuracy", itself) == compute("nn-accuracy-cosine", itself) == 1
