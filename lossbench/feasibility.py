"""What C class directions in D dimensions can satisfy at all (no torch, so that listings stay instant).

Ten directions in a plane stand 36 degrees apart at best. A margin above that cannot hold for all
classes at once, and a scale below a bound leaves even a perfect sample with a low probability.
Sources: CosFace (Wang et al. 2018, eqs. 6-7), ArcFace (Deng et al. 2019), Rankin (1955) for C <= 2D.
"""

from __future__ import annotations

import functools
import math

import numpy as np

USEFUL_PROBABILITY = 0.9  # a "useful" scale lets a perfect sample reach at least this
_SEARCHABLE = 50_000  # C * C * D of a search that still takes well under a second


@functools.lru_cache(maxsize=64)
def spread_directions(classes: int, dim: int) -> np.ndarray:
    """C unit vectors in D dimensions, as far apart as they can stand: array (C, D), for small C and D.

    Exact for D = 1, D = 2, C <= D + 1 (simplex) and C <= 2D (axes). Otherwise the best of a few
    deterministic descents on the energy of the closest pairs: a spread that can be reached, within
    about a degree of the best.
    """
    if dim == 1:
        return np.array([[1.0] if j % 2 == 0 else [-1.0] for j in range(classes)])
    if dim == 2:
        angles = 2 * math.pi * np.arange(classes) / classes
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)
    if classes <= dim + 1:
        simplex = np.eye(classes) - 1 / classes
        basis = np.linalg.svd(simplex)[0][:, : max(classes - 1, 1)]
        vectors = np.zeros((classes, dim))
        vectors[:, : basis.shape[1]] = simplex @ basis
        return _unit(vectors) if classes > 1 else np.eye(1, dim)
    if classes <= 2 * dim:
        return np.concatenate([np.eye(dim), -np.eye(dim)])[:classes]
    return max((_descend(classes, dim, seed) for seed in range(4)), key=_smallest_angle)


def neighbour_angle(classes: int, dim: int) -> float:
    """The largest angle (radians) that every two of C directions in D dimensions can keep.

    Beyond a size that can be searched: the angle at which C caps would fill the sphere, an upper bound.
    """
    if classes < 2 or (dim == 1 and classes == 2):
        return math.pi
    if dim == 1:
        return 0.0
    if dim == 2:
        return 2 * math.pi / classes
    if classes <= dim + 1:
        return math.acos(-1 / (classes - 1))
    if classes <= 2 * dim:
        return math.pi / 2
    if not _searchable(classes, dim):
        return _cap_packing_angle(classes, dim)
    return _smallest_angle(spread_directions(classes, dim))


def largest_angular_margin(classes: int, dim: int) -> float:
    """Largest m (radians) of cos(theta + m) that a perfect sample of every class can satisfy."""
    return neighbour_angle(classes, dim)


def largest_cosine_margin(classes: int, dim: int) -> float:
    """Largest m of cos(theta) - m that can hold for all classes: 1 - cos(neighbour angle), CosFace eq. 7."""
    return 1 - math.cos(neighbour_angle(classes, dim))


def best_probability(classes: int, dim: int, scale: float, target: float = 1.0) -> float:
    """Softmax probability of a sample that lies on its class direction, the directions being spread.

    `target` is the sample's own logit divided by the scale: 1 without margin, cos(m) for ArcFace,
    1 - m for CosFace. The other logits are scale * cosine. The mean over classes is returned.
    """
    cosines = _cosines(classes, dim)
    others = scale * (cosines - target)
    largest = np.maximum(others.max(axis=1, initial=0.0), 0.0)
    rest = np.exp(others - largest[:, None]).sum(axis=1)
    own = np.exp(-largest)
    return float(np.mean(own / (own + rest)))


@functools.lru_cache(maxsize=64)
def _cosines(classes: int, dim: int) -> np.ndarray:
    """Cosines of a class to each other class (rows, C - 1): one row where every class sees the same.

    Too large to search: all at the mean that spread directions have, -1/(C-1), as CosFace eq. 6 assumes.
    """
    if dim == 2:
        return np.cos(2 * math.pi * np.arange(1, classes) / classes)[None]
    if classes <= dim + 1 or not (classes <= 2 * dim or _searchable(classes, dim)):
        return np.full((1, classes - 1), -1 / max(classes - 1, 1))
    directions = spread_directions(classes, dim)
    cosines: np.ndarray = (directions @ directions.T)[~np.eye(classes, dtype=bool)]
    return cosines.reshape(classes, classes - 1)


def _searchable(classes: int, dim: int) -> bool:
    return dim == 1 or classes**2 * dim <= _SEARCHABLE


def smallest_useful_scale(classes: int, dim: int, probability: float = USEFUL_PROBABILITY) -> float:
    """Smallest s with which a perfect sample without margin reaches `probability`; inf if none does."""
    low, high = 0.0, 1.0
    while best_probability(classes, dim, high) < probability:
        low, high = high, 2 * high
        if high > 1e4:
            return math.inf
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if best_probability(classes, dim, middle) < probability else (low, middle)
    return high


def _unit(vectors: np.ndarray) -> np.ndarray:
    unit: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _smallest_angle(directions: np.ndarray) -> float:
    cosines = directions @ directions.T
    np.fill_diagonal(cosines, -1.0)
    return math.acos(max(-1.0, min(1.0, float(cosines.max()))))


def _cap_packing_angle(classes: int, dim: int) -> float:
    from scipy.special import betaincinv  # slow to import and rarely needed

    # a cap of half angle a < 90 degrees covers I(sin^2 a; (D-1)/2, 1/2) / 2 of the sphere
    squared_sine = float(betaincinv((dim - 1) / 2, 0.5, min(1.0, 2 / classes)))
    return min(math.pi / 2, 2 * math.asin(math.sqrt(squared_sine)))


def _descend(classes: int, dim: int, seed: int) -> np.ndarray:
    """Minimise sum exp(t * cosine) over the sphere while t grows: in the limit the closest pair counts."""
    vectors = _unit(np.random.RandomState(seed).randn(classes, dim))
    for sharpness in np.geomspace(2, 500, 60):
        for _ in range(10):
            cosines = vectors @ vectors.T
            np.fill_diagonal(cosines, -np.inf)
            force = np.exp(sharpness * (cosines - cosines.max()))
            step = force @ vectors / max(force.sum(axis=1).max(), 1e-12)
            vectors = _unit(vectors - step / sharpness)
    return vectors
