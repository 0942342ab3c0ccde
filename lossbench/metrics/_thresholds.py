"""Verification at a threshold that is chosen on the validation split and applied to the split under test.

A pair is accepted when its distance is at most the threshold: Euclidean distance, or cosine, as the loss
compares. The threshold for a false accept rate (FAR) is the largest at which the validation pairs of two
classes have no higher one. Shapes: R rates, C validation classes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ._inputs import MetricInput
from ._vectors import class_members, compared, compared_vectors

ONE_IN = (100, 1000)
"""The false accept rates as 1 / rate: one accepted pair of two classes in this number of pairs."""

_DRAWS = 500


class Thresholds(NamedTuple):
    """Squared distances, NaN without pairs of two classes: for all pairs (R,), and for the pairs with one
    sample of a class (C, R)."""

    common: np.ndarray
    by_class: np.ndarray


class Decisions(NamedTuple):
    """At the common thresholds (R,): the fraction of the pairs of one class and of two classes that are
    accepted; NaN where there are no pairs."""

    true_accepts: np.ndarray
    false_accepts: np.ndarray


def thresholds(inputs: MetricInput) -> Thresholds:
    """The thresholds of the validation split."""
    from scipy.spatial.distance import cdist  # slow to import: figures of features do without

    part = inputs.validated
    vectors, classes = compared(part.features, inputs.cosine), class_members(part.labels)
    nearest, counts, by_class = [], [], []
    total = (len(vectors) ** 2 - sum(len(members) ** 2 for members in classes)) // 2
    for members in classes:
        others = vectors[part.labels != part.labels[members[0]]]
        distances = cdist(vectors[members], others, "sqeuclidean").ravel()
        by_class.append([_below(distances, len(distances) // one_in) for one_in in ONE_IN])
        # every pair occurs twice, once for each of its classes
        kept = min(2 * (total // min(ONE_IN)) + 1, len(distances))
        nearest.append(np.partition(distances, kept - 1)[:kept] if kept else distances)
        counts.append(len(distances))
    merged = np.concatenate(nearest)
    common = [_below(merged, 2 * (total // one_in)) for one_in in ONE_IN]
    return Thresholds(np.array(common), np.array(by_class))


def _below(distances: np.ndarray, accepted: int) -> float:
    """The largest threshold that accepts at most this number of the distances."""
    if not len(distances):
        return float("nan")
    return float(np.nextafter(np.partition(distances, accepted)[accepted], -np.inf))


def in_unit(squared: np.ndarray, cosine: bool) -> np.ndarray:
    """Squared distances as people see thresholds: distances, or cosines of unit vectors.

    A negative square, at which nothing is accepted, becomes -0.0 or a cosine of 1.
    """
    return 1 - squared / 2 if cosine else np.sqrt(np.abs(squared)) * np.where(squared < 0, -1, 1)


def decisions(inputs: MetricInput) -> Decisions:
    """What the thresholds of the validation split do on the split under test."""
    limits, vectors = inputs.cached(thresholds).common, compared_vectors(inputs)
    classes = class_members(inputs.evaluated.labels)
    accepted = np.zeros((2, len(ONE_IN)), np.int64)  # of one class, of two
    for index, members in enumerate(classes):
        later = np.concatenate([members[:0], *classes[index + 1 :]])
        for kind, others in enumerate((members, later)):
            accepted[kind] += _accepted(vectors[members], vectors[others], limits)
    sizes = np.array([len(members) for members in classes])
    accepted[0] = (accepted[0] - sizes.sum() * (limits >= 0)) // 2  # less each sample with itself
    own_pairs = int((sizes * (sizes - 1)).sum()) // 2
    other_pairs = int(sizes.sum() ** 2 - (sizes**2).sum()) // 2
    unknown = np.where(np.isnan(limits), np.nan, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = accepted / np.array([[own_pairs], [other_pairs]], np.float64)
    return Decisions(rates[0] + unknown, rates[1] + unknown)


def _accepted(left: np.ndarray, right: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """How many of all pairs of rows are within the limits (R,): (R,)."""
    from scipy.spatial.distance import cdist

    step = max(1, 4_000_000 // max(1, len(right)))
    counts = np.zeros(len(limits), np.int64)
    for start in range(0, len(left), step):
        distances = cdist(left[start : start + step], right, "sqeuclidean")
        counts += [int((distances <= limit).sum()) for limit in limits]
    return counts


def true_accept_interval(inputs: MetricInput) -> np.ndarray:
    """The 95 % interval (2, R) of the true accept rates over resampled images, at the same thresholds.

    Percentile bootstrap: each of 500 draws takes as many images of every class as there are, with
    replacement; pairs of an image with itself do not count (Efron, Tibshirani, An Introduction to the
    Bootstrap, 1993). The images are drawn, not the pairs, because pairs that share an image are not
    independent.
    """
    from scipy.spatial.distance import cdist

    limits, vectors = inputs.cached(thresholds).common, compared_vectors(inputs)
    random = np.random.default_rng(0)
    accepted, pairs = np.zeros((len(limits), _DRAWS)), np.zeros(_DRAWS)
    for members in class_members(inputs.evaluated.labels):
        size = len(members)
        times = random.multinomial(size, np.full(size, 1 / size), _DRAWS).astype(np.float32)
        distances = cdist(vectors[members], vectors[members], "sqeuclidean")
        np.fill_diagonal(distances, np.inf)
        pairs += size**2 - (times.astype(np.float64) ** 2).sum(1)
        for rate, limit in enumerate(limits):
            accepted[rate] += ((times @ (distances <= limit).astype(np.float32)) * times).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = accepted / pairs + np.where(np.isnan(limits), np.nan, 0.0)[:, None]
    return np.quantile(rates, (0.025, 0.975), axis=1)
