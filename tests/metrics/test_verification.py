"""Verification of pairs against scikit-learn and plain loops, ties included."""

from __future__ import annotations

import itertools
import math
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn.metrics import roc_auc_score, roc_curve

from lossbench.metrics import MetricInput
from lossbench.metrics import _verification as pairs

from .cases import DIMENSIONS, compute, measured_of, on_rays, random_measured
from .test_retrieval import distances

BOUNDS = {"tar-at-far-1e-2": 100, "tar-at-far-1e-3": 1000, "tar-at-far-1e-4": 10000}
NAMES = ("roc-auc", "eer", *BOUNDS)


def all_pairs(measured: MetricInput) -> tuple[np.ndarray, np.ndarray]:
    """Are two samples of one class, and how similar are they, for all pairs."""
    x = measured.evaluated.features.astype(np.float64)
    if measured.cosine:
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
    first, second = np.triu_indices(len(x), 1)
    similar = (
        (x[first] * x[second]).sum(1) if measured.cosine else -np.linalg.norm(x[first] - x[second], axis=1)
    )
    return measured.evaluated.labels[first] == measured.evaluated.labels[second], similar


@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize("dim", DIMENSIONS)
def test_random_points_against_scikit_learn(dim: int, cosine: bool) -> None:
    for seed in range(3):
        measured = random_measured(seed, dim, cosine=cosine)
        same, similar = all_pairs(measured)
        if dim == 1 and cosine:
            similar = similar.round()
        false, true, _ = roc_curve(same, similar, drop_intermediate=False)
        assert compute("roc-auc", measured) == pytest.approx(roc_auc_score(same, similar), rel=1e-12)
        crossing = brentq(lambda x, f=false, t=true: 1 - x - interp1d(f, t)(x), 0, 1, xtol=1e-14)
        assert compute("eer", measured) == pytest.approx(crossing, abs=1e-3)
        for name, one_in in BOUNDS.items():
            assert compute(name, measured) == pytest.approx(true[false <= 1 / one_in].max()), name


def by_loops(measured: MetricInput) -> dict[str, float]:
    labels, far = measured.evaluated.labels.tolist(), distances(measured)
    indices = list(itertools.combinations(range(len(labels)), 2))
    own = [far[i][j] for i, j in indices if labels[i] == labels[j]]
    others = [far[i][j] for i, j in indices if labels[i] != labels[j]]
    if not own or not others:
        return dict.fromkeys(NAMES, math.nan)
    wins = Fraction(sum(2 * (a < b) + (a == b) for a in own for b in others), 2)
    curve = [(Fraction(0), Fraction(0))]
    for threshold in sorted({*own, *others}):
        counts = (sum(d <= threshold for d in kind) for kind in (others, own))
        curve.append(tuple(map(Fraction, counts, (len(others), len(own)))))  # type: ignore[arg-type]
    found = {"roc-auc": float(wins / len(own) / len(others)), "eer": equal_error(curve)}
    for name, one_in in BOUNDS.items():
        found[name] = float(max(true for false, true in curve if false * one_in <= 1))
    return found


def equal_error(curve: list[tuple[Fraction, Fraction]]) -> float:
    """The first point with FAR = 1 - TAR on the straight lines between the points."""
    for (x0, y0), (x1, y1) in itertools.pairwise(curve):
        before, after = x0 + y0 - 1, x1 + y1 - 1
        if after >= 0:
            return float(x0 + (x1 - x0) * before / (before - after))
    raise AssertionError("the curve ends in (1, 1)")


def assert_equal(measured: MetricInput) -> None:
    for name, value in by_loops(measured).items():
        assert compute(name, measured) == pytest.approx(value, rel=1e-12, nan_ok=True), name


@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize("dim", DIMENSIONS)
def test_samples_that_coincide_against_loops(dim: int, cosine: bool) -> None:
    for seed in range(3):
        assert_equal(on_rays(seed, dim, cosine))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-2, 2), st.integers(-2, 2), st.integers(0, 3)), min_size=1, max_size=16)
)
def test_any_points_of_a_small_grid_against_loops(samples: list[tuple[int, int, int]]) -> None:
    array = np.array(samples)
    assert_equal(measured_of(array[:, :2], array[:, 2]))


def line(*gaps: int) -> MetricInput:
    """Two classes on a line with sizes that make the distances known."""
    return measured_of(np.cumsum(gaps)[:, None], [0, 0, 1, 1])


def test_by_hand() -> None:
    apart = line(0, 1, 10, 1)  # 0, 1 | 11, 12: own pairs 1, 1; others 10, 11, 11, 12
    assert [compute(name, apart) for name in NAMES] == [1, 0, 1, 1, 1]
    mixed = measured_of([[0], [4], [1], [6]], [0, 0, 1, 1])  # own 4, 5; others 1, 6, 3, 2
    assert compute("roc-auc", mixed) == 2 / 8
    assert compute("eer", mixed) == 0.75
    tied = measured_of([[0], [1], [0], [1]], [0, 0, 1, 1])  # own 1, 1; others 0, 1, 1, 0
    assert compute("roc-auc", tied) == 0.25
    assert compute("eer", tied) == pytest.approx(2 / 3)  # between (1/2, 0) and (1, 1)


def test_the_bounds_count_whole_pairs() -> None:
    """100 others and a bound of 1 in 100: exactly one may pass, whatever 0.01 * 100 rounds to."""
    others = np.concatenate([np.full(10, 0.0), 10.0 + 10 * np.arange(10)])[:, None]
    labels = [0] * 10 + [1] * 10
    measured = measured_of(others, labels)
    assert compute("tar-at-far-1e-2", measured) == pytest.approx(by_loops(measured)["tar-at-far-1e-2"])
    far = others.copy()
    far[:10] = np.arange(10)[:, None] * 1000
    for one in (measured_of(far, labels), measured_of(-far, labels)):
        assert compute("tar-at-far-1e-2", one) == by_loops(one)["tar-at-far-1e-2"]


def test_one_pass_over_the_pairs_serves_all(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    within = pairs._within
    monkeypatch.setattr(pairs, "_within", lambda *given: calls.append(1) or within(*given))
    measured = random_measured(0, 2)
    for name in NAMES:
        compute(name, measured)
    assert len(calls) == 1


def test_any_number_of_distances_at_once_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_values() -> list[float]:
        return [compute(name, measured_of(x, y)) for x, y in points for name in NAMES]

    points = [measured.evaluated[:2] for measured in (random_measured(4, 3), on_rays(0, 2, cosine=False))]
    whole = all_values()
    for cells in (1, 1000):
        monkeypatch.setattr(pairs, "_CELLS", cells)
        assert all_values() == whole


def test_memory_grows_with_the_pairs_within_classes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.RandomState(0)
    measured = measured_of(random.randn(3000, 2), np.arange(3000) % 100)  # 4.5 million pairs: 36 MB
    monkeypatch.setattr(pairs, "_CELLS", 100_000)
    tracemalloc.start()
    try:
        value = compute("roc-auc", measured)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert value == pytest.approx(0.5, abs=0.01)
    assert peak < 12e6
