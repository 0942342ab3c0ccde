"""Spreads, gaps, cluster indices and collapse against scikit-learn and plain loops."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from sklearn import metrics

from lossbench.metrics import MetricInput

from .cases import DIMENSIONS, changed, compute, embedding, measured_of, random_measured

Points = list[list[float]]


def mean(points: Points) -> list[float]:
    return [math.fsum(column) / len(points) for column in zip(*points, strict=True)]


def unit(point: list[float]) -> list[float]:
    return [x / math.hypot(*point) for x in point]


def direction(points: Points) -> list[float]:
    """Not a number where the unit vectors cancel."""
    center = mean([unit(point) for point in points])
    return center if math.hypot(*center) > 1e-12 else [math.nan] * len(center)


def degrees(a: list[float], b: list[float]) -> float:
    cosine = math.fsum(x * y for x, y in zip(unit(a), unit(b), strict=True))
    return math.degrees(math.acos(np.clip(cosine, -1, 1)))


def by_loops(measured: MetricInput) -> dict[str, float]:
    x, y = measured.evaluated.features.tolist(), measured.evaluated.labels.tolist()
    own = [[a for a, b in zip(x, y, strict=True) if b == j] for j in sorted(set(y))]
    found = {}
    for prefix, between, center in (
        ("", math.dist, mean),
        ("angular-", degrees, direction),
    ):
        centers = [center(points) for points in own]
        spreads = [
            math.fsum(between(a, c) for a in points) / len(points)
            for points, c in zip(own, centers, strict=True)
        ]
        found[f"{prefix}spread"] = math.fsum(spreads) / len(spreads)
        found[f"{prefix}gap"] = float(np.min([between(a, b) for a, b in itertools.combinations(centers, 2)]))
        gap = found[f"{prefix}gap"]
        found[f"{prefix}spread-gap"] = found[f"{prefix}spread"] / gap if gap else math.inf
    return found


@pytest.mark.parametrize("dim", DIMENSIONS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_random_points_against_loops(seed: int, dim: int) -> None:
    measured = random_measured(seed, dim)
    for name, value in by_loops(measured).items():
        assert compute(name, measured) == pytest.approx(value, rel=1e-7, abs=1e-5, nan_ok=True), name


@pytest.mark.parametrize("dim", DIMENSIONS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_cluster_indices_against_scikit_learn(seed: int, dim: int) -> None:
    measured = random_measured(seed, dim)
    x, y = measured.evaluated.features.astype(np.float64), measured.evaluated.labels
    assert compute("silhouette", measured) == pytest.approx(metrics.silhouette_score(x, y))
    assert compute("davies-bouldin", measured) == pytest.approx(metrics.davies_bouldin_score(x, y))
    assert compute("calinski-harabasz", measured) == pytest.approx(metrics.calinski_harabasz_score(x, y))


def test_a_class_of_one_sample_has_silhouette_zero() -> None:
    measured = measured_of([[0], [2], [5]], [0, 0, 1])
    assert compute("silhouette", measured) == pytest.approx((1 - 2 / 5 + 1 - 2 / 3 + 0) / 3)


@pytest.mark.parametrize("cosine", [False, True])
def test_k_means_finds_separate_blobs_and_matches_scikit_learn(cosine: bool) -> None:
    random = np.random.RandomState(0)
    blobs = np.repeat(np.arange(6), 40)
    x = 30 * random.randn(6, 8)[blobs] + random.randn(240, 8)
    y = np.where(random.rand(240) < 0.3, random.choice(6, 240), blobs)
    measured = measured_of(x, y, cosine)
    assert compute("nmi", measured) == pytest.approx(metrics.normalized_mutual_info_score(y, blobs))
    assert compute("ami", measured) == pytest.approx(metrics.adjusted_mutual_info_score(y, blobs))
    assert compute("ami", measured) < compute("nmi", measured) < 0.8
    corners = np.repeat([[1, 0], [5, 1], [0, 3], [2, 9]], 10, axis=0) + np.arange(40)[:, None] % 10 * 1e-3
    known = measured_of(corners, np.repeat([0, 1, 2, 3], 10), cosine)
    assert compute("nmi", known) == pytest.approx(1)
    assert compute("ami", known) == pytest.approx(1)
    assert compute("ami", measured_of(corners, np.tile([0, 1], 20), cosine)) == pytest.approx(0, abs=0.05)


def test_k_means_compares_directions_under_cosine() -> None:
    lengths = np.tile([1.0, 10.0], 20)[:, None]
    directions = np.repeat([[1.0, 0.0], [0.0, 1.0]], 20, axis=0)
    labels = np.repeat([0, 1], 20)
    assert compute("nmi", measured_of(lengths * directions, labels, cosine=True)) == pytest.approx(1)
    by_length = measured_of(lengths * directions + [[100, 100]], labels)
    assert compute("nmi", by_length) < 0.9


def test_class_means_that_coincide_have_infinite_ratios() -> None:
    crossed = measured_of([[-1, 0], [1, 0], [0, -1], [0, 1]], [0, 0, 1, 1])
    assert compute("spread-gap", crossed) == math.inf
    assert compute("davies-bouldin", crossed) == math.inf
    assert compute("calinski-harabasz", crossed) == 0
    same_rays = measured_of([[1, 0], [0, 2], [3, 0], [0, 4]], [0, 0, 1, 1])
    assert compute("angular-spread-gap", same_rays) == math.inf
    points = measured_of([[0, 0], [0, 0], [1, 1], [1, 1]], [0, 0, 1, 1])
    assert compute("calinski-harabasz", points) == math.inf


def test_small_angles_keep_their_digits() -> None:
    measured = measured_of([[1, 0], [1, 2e-6], [-1, 0], [-1, 2e-6]], [0, 0, 1, 1])
    assert compute("angular-spread", measured) == pytest.approx(math.degrees(1e-6), rel=1e-6)
    assert compute("angular-gap", measured) == pytest.approx(180 - math.degrees(2e-6), rel=1e-12)


def test_classes_without_direction_have_no_angles() -> None:
    for features in ([[1, 0], [-3, 0], [0, 1]], [[0, 0], [0, 0], [0, 1]]):
        measured = measured_of(features, [0, 0, 1])
        for name in ("angular-spread", "angular-gap", "angular-spread-gap"):
            assert math.isnan(compute(name, measured))


def test_the_ratios_are_free_of_scale_and_of_the_reference() -> None:
    measured = random_measured(8, 2)
    larger = changed(
        measured, evaluated=measured.evaluated._replace(features=1000 * measured.evaluated.features)
    )
    other = changed(measured, reference=random_measured(9, 2).reference)
    names = (
        "spread-gap",
        "angular-spread-gap",
        "davies-bouldin",
        "calinski-harabasz",
        "silhouette",
        "collapse",
    )
    for name in names:
        assert compute(name, larger) == pytest.approx(compute(name, measured), rel=1e-5)
        assert compute(name, other) == compute(name, measured)


def two_gaussians(distance: float, count: int, dim: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.RandomState(3)
    half = random.randn(count // 2, dim)
    half = np.concatenate([half, -half])  # of mean 0 exactly
    shift = np.eye(dim)[0] * distance * np.linalg.norm(half, axis=1).mean()
    return np.concatenate([half, half + shift]), np.repeat([0, 1], count)


@pytest.mark.parametrize("dim", DIMENSIONS)
@pytest.mark.parametrize("distance, expected", [(0, 1), (0.099, 1), (0.101, 0), (5, 0)])
def test_two_classes_on_top_of_each_other_are_a_collapse(distance: float, expected: int, dim: int) -> None:
    features, labels = two_gaussians(distance, 200, dim)
    for scale, offset in ((1, 0), (1e-4, 0), (1e4, 0), (1, 100)):
        assert compute("collapse", measured_of(scale * features + offset, labels)) == expected
    third = np.concatenate([features, features[:200] + 50])
    assert compute("collapse", measured_of(third, np.append(labels, [2] * 200))) == expected


def test_two_classes_in_one_point_each_are_a_collapse_where_it_is_the_same_point() -> None:
    labels = np.repeat([0, 1, 2], 10)
    for second, expected in ((1, 1), (2, 0)):
        places = np.array([[1, 0], [second, 0], [0, 5]], np.float32)
        assert compute("collapse", measured_of(places[labels], labels)) == expected


def test_labels_by_chance_are_a_collapse_and_separate_blobs_are_none() -> None:
    random = np.random.RandomState(0)
    x, y = random.randn(4000, 2), random.choice(10, 4000)
    assert compute("collapse", measured_of(x, y)) == 1
    blobs = x + 10 * np.stack([np.cos(0.2 * np.pi * y), np.sin(0.2 * np.pi * y)], axis=1)
    for cosine in (False, True):
        assert compute("collapse", measured_of(blobs, y, cosine)) == 0
        assert compute("collapse", measured_of(blobs + 4096, y)) == 0


@pytest.mark.parametrize("value", [0.1, 1e6])
def test_all_features_in_one_point_but_for_rounding_are_a_collapse(value: float) -> None:
    features = np.full((40, 3), value, np.float32)
    labels = np.repeat([0, 1, 2, 3], 10)
    features[labels % 2 == 1] = np.nextafter(features[0], np.float32(np.inf))
    assert compute("collapse", measured_of(features, labels)) == 1
    assert compute("collapse", measured_of(features, labels * 0)) == 1
    assert (
        compute("collapse", measured_of(features * np.array([1, 1, 1 + 1e-4]) ** labels[:, None], labels))
        == 0
    )
    for factor, expected in ((1 + 1e-6, 1), (1 + 3e-6, 0)):  # deviations of 0.6 and 1.9 millionths
        points = value * np.array([1, 1, factor]) ** labels[:, None]
        assert compute("collapse", measured_of(points, labels)) == expected


def test_only_directions_can_collapse_under_cosine() -> None:
    lengths = np.arange(1, 41)[:, None] * np.ones((1, 2))
    labels = np.repeat([0, 1, 2, 3], 10)
    assert compute("collapse", measured_of(lengths, labels)) == 0
    assert compute("collapse", measured_of(lengths, labels, cosine=True)) == 1


def test_collapse_is_never_undefined() -> None:
    for labels in ([0], [0, 0], [0, 1]):
        for cosine in (False, True):
            alone = embedding(np.zeros((len(labels), 2)), labels)
            measured = MetricInput(evaluated=alone, reference=alone, classes=2, cosine=cosine)
            assert compute("collapse", measured) == 1


def test_outer_classes_are_the_vertices_of_the_hull() -> None:
    from scipy.spatial import ConvexHull

    for seed, dim in ((0, 2), (1, 2), (2, 3)):
        means = np.random.RandomState(seed).randn(9, dim)
        vertices = ConvexHull(means.astype(np.float32)).vertices
        assert compute("outer-classes", measured_of(means, range(9))) == pytest.approx(len(vertices) / 9)


def test_a_short_ray_is_inside_although_its_direction_tells_it() -> None:
    """Without a bias a linear classifier is right about every mean of ten rays, whatever their lengths."""
    angles = np.radians(36 * np.arange(10))
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    means = directions * np.where(np.arange(10) == 3, 0.7, 1)[:, None]
    assert (means @ directions.T).argmax(axis=1).tolist() == list(range(10))
    assert compute("outer-classes", measured_of(means, range(10))) == pytest.approx(0.9)


@pytest.mark.parametrize(("out", "share"), [(0.01, 1.0), (0.0007, 0.8)])
def test_a_mean_a_thousandth_outside_of_the_hull_counts_as_on_its_edge(out: float, share: float) -> None:
    means = [[1, 1], [1, -1], [-1, 1], [-1, -1], [1 + out, 0]]
    assert compute("outer-classes", measured_of(means, range(5))) == pytest.approx(share)


@pytest.mark.parametrize("dim", [2, 3, 8])
def test_class_separation_is_that_of_all_pairs(dim: int) -> None:
    measured = random_measured(3, dim)
    labels, vectors = measured.evaluated.labels, measured.evaluated.features.astype(float)
    cosines = metrics.pairwise.cosine_distances(vectors)
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    within = np.mean([cosines[np.ix_(own, own)].mean() for own in groups])
    total = np.mean([cosines[np.ix_(a, b)].mean() for a in groups for b in groups])
    assert compute("class-separation", measured) == pytest.approx(1 - within / total)


@pytest.mark.parametrize("dim", [2, 8])
def test_collapse_is_seen_by_all_its_measures(dim: int) -> None:
    """Classes at the corners of a simplex in 8-D: all are 0 but for the noise, which NC1 measures."""
    corners = np.eye(9) - 1 / 9
    basis = np.linalg.svd(corners)[2][:dim]
    labels = np.repeat(np.arange(9), 50)
    noise = np.random.RandomState(0).randn(450, dim)
    noise -= np.stack([noise[labels == label].mean(axis=0) for label in range(9)])[labels]
    measured = measured_of((corners @ basis.T)[labels] + 0.001 * noise, labels)
    simplex = dim == 8
    assert (compute("nc2-angles", measured) < 1e-5) == simplex
    assert (compute("nc2-norms", measured) < 1e-5) == simplex
    if simplex:  # S_B = I / 9 and S_W = 1e-6 I: tr(9e-6 I) / 9
        variance = np.square(0.001 * noise).mean() * dim
        assert compute("nc1", measured) == pytest.approx(variance, rel=1e-3)
        assert compute("within-variance", measured) == pytest.approx(variance / (8 / 9), rel=1e-3)
