"""Class directions with the largest possible angles between them."""

import functools
import math

import numpy as np


@functools.lru_cache(maxsize=64)
def spread_directions(classes: int, dim: int) -> np.ndarray:
    """C unit vectors in D dimensions with the largest possible smallest angle: array (C, D), small C and D.

    Exact for D = 1, D = 2, C <= D + 1 (simplex) and C <= 2D (axes). Otherwise the best of a few deterministic
    descents on the energy of the closest pairs, within about a degree of the optimum.
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
    return max((_descend(classes, dim, seed) for seed in range(4)), key=smallest_angle)


def smallest_angle(directions: np.ndarray) -> float:
    """Radians between the two nearest of unit vectors (C, D)."""
    cosines = directions @ directions.T
    np.fill_diagonal(cosines, -1.0)
    return math.acos(max(-1.0, min(1.0, float(cosines.max()))))


def _unit(vectors: np.ndarray) -> np.ndarray:
    unit: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _descend(classes: int, dim: int, seed: int) -> np.ndarray:
    """Minimise sum exp(t * cosine) over the sphere with growing t: at last only the closest pair counts."""
    vectors = _unit(np.random.RandomState(seed).randn(classes, dim))
    for sharpness in np.geomspace(2, 500, 60):
        for _ in range(10):
            cosines = vectors @ vectors.T
            np.fill_diagonal(cosines, -np.inf)
            force = np.exp(sharpness * (cosines - cosines.max()))
            step = force @ vectors / max(force.sum(axis=1).max(), 1e-12)
            vectors = _unit(vectors - step / sharpness)
    return vectors
