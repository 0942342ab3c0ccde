"""What C directions in D dimensions can satisfy: numbers of the specification sheet, section 1, and exact cases."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
import time

import numpy as np
import pytest

from lossbench.specs.directions import spread_directions
from lossbench.specs.feasibility import (
    best_probability,
    largest_angular_margin,
    largest_cosine_margin,
    neighbour_angle,
    smallest_useful_scale,
)


def smallest_pairwise_angle(directions: np.ndarray) -> float:
    return min(math.acos(max(-1.0, min(1.0, float(a @ b)))) for a, b in itertools.combinations(directions, 2))


def test_ten_classes_in_the_plane() -> None:
    assert largest_cosine_margin(10, 2) == pytest.approx(0.19098, abs=5e-6)
    assert math.degrees(largest_angular_margin(10, 2)) == pytest.approx(36, abs=1e-9)
    assert math.degrees(neighbour_angle(10, 2)) == pytest.approx(36, abs=1e-9)
    assert largest_angular_margin(10, 2) == pytest.approx(0.628, abs=5e-4)


@pytest.mark.parametrize(
    ("scale", "row"),
    [
        (5, (0.545, 0.421, 0.306, 0.520, 0.393)),
        (7, (0.649, 0.478, 0.313, 0.616, 0.440)),
        (10, (0.770, 0.552, 0.312, 0.733, 0.496)),
        (16, (0.914, 0.682, 0.302, 0.885, 0.600)),
        (30, (0.994, 0.885, 0.276, 0.988, 0.796)),
        (64, (1.000, 0.994, 0.219, 1.000, 0.976)),
    ],
)
def test_the_table_of_best_probabilities(scale: float, row: tuple[float, ...]) -> None:
    targets = (1.0, 1 - 0.1, 1 - 0.2, math.cos(0.2), math.cos(0.5))
    found = [best_probability(10, 2, scale, target) for target in targets]
    assert found == pytest.approx(row, abs=6e-4)


@pytest.mark.parametrize(("scale", "loss"), [(7, 1.1617), (8, 1.1598), (10, 1.1642), (30, 1.287)])
def test_the_lowest_cosface_loss_at_an_infeasible_margin(scale: float, loss: float) -> None:
    assert -math.log(best_probability(10, 2, scale, 0.8)) == pytest.approx(loss, abs=6e-4)


@pytest.mark.parametrize(("scale", "floor"), [(1, 1.377), (4, 0.100), (7, 0.0038)])
def test_the_normface_floor_belongs_to_the_simplex(scale: float, floor: float) -> None:
    # NormFace, Prop. 2: ln(1 + (C-1) exp(-s C/(C-1))), reached where ten directions form a simplex
    assert -math.log(best_probability(10, 9, scale)) == pytest.approx(
        floor, abs=5.1e-4 if floor > 0.01 else 5.1e-5
    )
    exact = math.log1p(9 * math.exp(-10 / 9 * scale))
    assert -math.log(best_probability(10, 9, scale)) == pytest.approx(exact, rel=1e-9)
    assert -math.log(best_probability(10, 30, scale)) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("probability", [0.5, 0.9, 0.99, 0.999])
def test_the_smallest_useful_scale_reaches_its_probability_and_no_smaller_one_does(
    probability: float,
) -> None:
    scale = smallest_useful_scale(10, 2, probability)
    assert best_probability(10, 2, scale) == pytest.approx(probability, abs=1e-6)
    assert best_probability(10, 2, 0.999 * scale) < probability


def test_useful_scales_of_known_spreads() -> None:
    assert 10 < smallest_useful_scale(10, 2) < 16  # the table: .770 at 10, .914 at 16
    for probability, bound in ((0.9, 3.96), (0.99, 6.11), (0.999, 8.19)):  # CosFace eq. 6, the simplex
        assert smallest_useful_scale(10, 9, probability) == pytest.approx(bound, abs=6e-3)
    assert smallest_useful_scale(10, 9) == smallest_useful_scale(10, 9, 0.9)
    assert smallest_useful_scale(220, 2) == pytest.approx(7170, rel=0.02)  # the last power of 2 is 8192
    assert smallest_useful_scale(3, 1) == math.inf  # two of three classes share a direction


@pytest.mark.parametrize("classes", range(1, 11))
@pytest.mark.parametrize("extra", [-1, 0, 5])
def test_a_simplex_is_exact(classes: int, extra: int) -> None:
    dim = max(1, classes + extra)
    directions = spread_directions(classes, dim)
    assert directions.shape == (classes, dim)
    cosines = directions @ directions.T
    expected = np.full((classes, classes), -1 / max(classes - 1, 1))
    np.fill_diagonal(expected, 1)
    np.testing.assert_allclose(cosines, expected, atol=1e-12)
    if classes > 1:
        assert neighbour_angle(classes, dim) == pytest.approx(math.acos(-1 / (classes - 1)), abs=1e-7)


@pytest.mark.parametrize("dim", range(3, 9))
def test_an_orthoplex_is_exact(dim: int) -> None:
    for classes in range(dim + 2, 2 * dim + 1):
        assert neighbour_angle(classes, dim) == pytest.approx(math.pi / 2, abs=1e-9)
        assert smallest_pairwise_angle(spread_directions(classes, dim)) == pytest.approx(
            math.pi / 2, abs=1e-9
        )


@pytest.mark.parametrize("classes", [2, 3, 4, 7, 10, 26, 100])
def test_the_plane_is_exact(classes: int) -> None:
    assert neighbour_angle(classes, 2) == pytest.approx(min(math.pi, 2 * math.pi / classes), abs=1e-7)


def test_a_line_has_two_directions() -> None:
    assert spread_directions(5, 1).tolist() == [[1], [-1], [1], [-1], [1]]
    assert neighbour_angle(2, 1) == pytest.approx(math.pi)
    assert neighbour_angle(3, 1) == 0
    assert largest_cosine_margin(3, 1) == 0


def test_a_single_class_has_no_neighbour() -> None:
    for dim in (1, 2, 3, 100):
        assert neighbour_angle(1, dim) == math.pi
        assert best_probability(1, dim, 5.0) == 1
        assert smallest_useful_scale(1, dim) < 1e-6


# Tammes's problem, smallest distances of n points on the sphere (Schütte, van der Waerden, Danzer;
# Sloane's tables): degrees
TAMMES = {7: 77.870, 8: 74.859, 9: 70.529, 10: 66.147, 11: 63.435, 12: 63.435}


@pytest.mark.parametrize("classes", TAMMES)
def test_directions_in_space_come_near_tammes(classes: int) -> None:
    found = math.degrees(neighbour_angle(classes, 3))
    assert TAMMES[classes] - 1 < found < TAMMES[classes] + 1e-3


def test_the_24_cell_is_approached_in_four_dimensions() -> None:
    assert 57 < math.degrees(neighbour_angle(24, 4)) < 60 + 1e-3


@pytest.mark.parametrize(("classes", "dim"), [(10, 1), (10, 2), (10, 3), (4, 3), (6, 3), (20, 5), (1, 2)])
def test_directions_are_unit_vectors_and_the_same_ones_each_time(classes: int, dim: int) -> None:
    directions = spread_directions(classes, dim)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, atol=1e-12)
    again = spread_directions.__wrapped__(classes, dim)
    np.testing.assert_array_equal(directions, again)
    if classes > 1:
        assert smallest_pairwise_angle(directions) == pytest.approx(neighbour_angle(classes, dim), abs=1e-6)


def test_more_classes_stand_closer_and_more_dimensions_give_room() -> None:
    near = math.radians(1)  # "within about a degree"
    for dim, most in ((1, 40), (2, 40), (3, 16), (8, 20)):
        angles = [neighbour_angle(classes, dim) for classes in range(2, most)]
        assert all(b <= a + (near if dim > 2 else 1e-12) for a, b in itertools.pairwise(angles))
        assert angles[-1] < angles[0]
    for classes in (5, 10):
        angles = [neighbour_angle(classes, dim) for dim in range(1, 12)]
        assert all(b >= a - near for a, b in itertools.pairwise(angles))
        assert angles[-1] > angles[1] > angles[0]


def test_probability_grows_with_scale_and_falls_with_margin() -> None:
    by_scale = [best_probability(10, 2, scale) for scale in (1, 4, 8, 16, 32, 64, 1000)]
    assert by_scale == sorted(by_scale)
    assert by_scale[-1] == pytest.approx(1)
    by_margin = [best_probability(10, 2, 16, 1 - margin) for margin in (0, 0.05, 0.1, 0.2, 0.4)]
    assert by_margin == sorted(by_margin, reverse=True)
    assert best_probability(10, 2, 1e4, 0.5) == 0  # no overflow, only a hopeless margin


@pytest.mark.parametrize("dim", [3, 16, 512])
def test_a_bound_for_many_classes_is_fast_and_falls(dim: int) -> None:
    started = time.process_time()
    angles = [neighbour_angle(classes, dim) for classes in (1100, 5_000, 100_000, 10_000_000)]
    assert time.process_time() - started < 2
    assert all(0 < angle <= math.pi / 2 for angle in angles)
    assert angles == sorted(angles, reverse=True)
    if dim == 3:  # on the sphere a cap of half angle a has the fraction (1 - cos a) / 2
        assert angles[0] == pytest.approx(2 * math.acos(1 - 2 / 1100), rel=1e-9)
        assert angles[0] < 2 * neighbour_angle(120, 3)


@pytest.mark.parametrize(
    "question",
    [
        "neighbour_angle(10, 10**9)",
        "neighbour_angle(5000, 5000)",
        "smallest_useful_scale(10, 10**9)",
        "smallest_useful_scale(1000, 64)",
    ],
)
def test_large_shapes_take_little_time_and_memory(question: str) -> None:
    script = (
        "import math, resource\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (3, 3))\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**33, 2**33))\n"
        "from lossbench.specs.feasibility import *\n"
        f"print({question})\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{question} took over 3 s of CPU or 8 GiB: {done.stderr[-300:]}"
    assert 0 < float(done.stdout) < math.inf
