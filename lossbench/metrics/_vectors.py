"""Features under test as float64 vectors, as directions, and statistics within and between classes.

Shapes: N samples, D feature dimension, C classes present. Functions of a `MetricInput` are meant for
`MetricInput.cached`, so that metrics share their results.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ._inputs import MetricInput

_DIGITS = 12
"""Decimals of a direction: coarser than float64's rounding, so that features on one ray are equal to the
last bit and tie; far finer than float32's, so that nothing is lost."""


class ClassStatistics(NamedTuple):
    """The classes present: labels (C,), samples of each (C,), means (C, D), mean distance to them (C,)."""

    labels: np.ndarray
    counts: np.ndarray
    means: np.ndarray
    spreads: np.ndarray


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows (N, D) at length 1; a zero row stays zero, equally far from all directions, and NaN stays NaN."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths != 0)
    return np.asarray(scaled.round(_DIGITS))


def angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Degrees between unit vectors (..., D); 90 from a zero vector.

    2 atan2(||a - b||, ||a + b||) keeps its digits near 0 and 180 degrees, where arccos loses half
    (Kahan, How futile are mindless assessments of roundoff, 2006).
    """
    halves = np.arctan2(np.linalg.norm(a - b, axis=-1), np.linalg.norm(a + b, axis=-1))
    return np.asarray(np.degrees(2 * halves))


def feature_vectors(inputs: MetricInput) -> np.ndarray:
    """The features (N, D) in float64."""
    return inputs.evaluated.features.astype(np.float64)


def feature_directions(inputs: MetricInput) -> np.ndarray:
    """The features (N, D) in float64 at length 1."""
    return unit(feature_vectors(inputs))


def compared(features: np.ndarray, cosine: bool) -> np.ndarray:
    """Any features (N, D) in float64, at length 1 under cosine."""
    vectors = features.astype(np.float64)
    return unit(vectors) if cosine else vectors


def compared_vectors(inputs: MetricInput) -> np.ndarray:
    """The features (N, D) as the loss compares them: directions under cosine, else the vectors themselves.

    Between directions the Euclidean distance orders as the cosine does, ||a - b||^2 = 2 - 2 cos, and
    keeps its digits where the cosine is nearly 1.
    """
    return inputs.cached(feature_directions if inputs.cosine else feature_vectors)


def class_members(labels: np.ndarray) -> list[np.ndarray]:
    """The indices of each class's samples, classes in ascending order."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)


def class_means(vectors: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Mean of vectors (N, D) for each label from 0: (classes, D), NaN for a class without any."""
    means = np.full((classes, vectors.shape[1]), np.nan)
    for label in np.unique(labels):
        means[label] = vectors[labels == label].mean(axis=0)
    return means


def statistics_of(vectors: np.ndarray, labels: np.ndarray) -> ClassStatistics:
    """Means and mean Euclidean distances to them, of vectors (N, D) with labels (N,)."""
    members = class_members(labels)
    means = np.stack([vectors[index].mean(axis=0) for index in members])
    spreads = [
        np.linalg.norm(vectors[rows] - mean, axis=1).mean() for rows, mean in zip(members, means, strict=True)
    ]
    return ClassStatistics(
        np.unique(labels), np.array([len(index) for index in members]), means, np.array(spreads)
    )


def class_statistics(inputs: MetricInput) -> ClassStatistics:
    """The classes of the features as they are, by Euclidean distance."""
    return statistics_of(inputs.cached(feature_vectors), inputs.evaluated.labels)


def angular_statistics(inputs: MetricInput) -> ClassStatistics:
    """The classes of the directions: `means` are unit vectors, `spreads` mean angles to them in degrees.

    A class whose unit vectors cancel, or are all zero, has no direction: NaN.
    """
    vectors, members = inputs.cached(feature_directions), class_members(inputs.evaluated.labels)
    sums = np.stack([vectors[index].mean(axis=0) for index in members])
    sums[np.linalg.norm(sums, axis=1) < 10.0**-_DIGITS] = np.nan
    means = unit(sums)
    spreads = [angles(vectors[index], mean).mean() for index, mean in zip(members, means, strict=True)]
    counts = np.array([len(index) for index in members])
    return ClassStatistics(np.unique(inputs.evaluated.labels), counts, means, np.array(spreads))


def smallest_distance(inputs: MetricInput) -> float:
    """Distance of the two nearest class means; NaN with a single class."""
    from scipy.spatial.distance import pdist  # slow to import, and figures do without

    means = inputs.cached(class_statistics).means
    return float(pdist(means).min()) if len(means) > 1 else float("nan")


def smallest_angle(inputs: MetricInput) -> float:
    """Degrees between the two nearest class directions; NaN with a single class or one without any."""
    return float(nearest_angles(inputs.cached(angular_statistics).means).min())


def nearest_angles(directions: np.ndarray) -> np.ndarray:
    """Degrees (C,) from each of the unit vectors (C, D) to the nearest other one; NaN with a single one."""
    if len(directions) < 2:
        return np.full(len(directions), np.nan)
    others = (np.delete(directions, row, axis=0) for row in range(len(directions)))
    return np.array([angles(own, other).min() for own, other in zip(directions, others, strict=True)])


def ratio(numerator: float, denominator: float) -> float:
    """A quotient that is infinite where only the denominator is 0, and NaN where both are."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.float64(numerator) / np.float64(denominator))
