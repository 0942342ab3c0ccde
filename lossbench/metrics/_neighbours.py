"""The nearest training features of each feature under test, exactly, by distance and by angle.

Ties do not depend on the order of samples: of equally near training features the smallest labels come
first. (Where the last neighbour can lie at several places, equally far, the search chooses one of them; it
sees the places in the order of their coordinates.)
"""

from __future__ import annotations

import numpy as np

from ._inputs import MetricInput
from ._vectors import feature_directions, feature_vectors, unit

NEAREST = 5
"""Neighbours of one search; metrics that need fewer take the first."""

_TREE_DIMENSIONS = 15
"""From here on a k-d tree visits most of its leaves, and comparing with everything is faster."""

_NONE = -1
"""In place of a label where there are no more."""


def nearest_by_distance(inputs: MetricInput) -> np.ndarray:
    """Labels (N, up to 5) of the training features nearest by Euclidean distance, nearest first."""
    return _nearest(inputs, inputs.cached(feature_vectors), inputs.reference.features.astype(np.float64))


def nearest_by_angle(inputs: MetricInput) -> np.ndarray:
    """Labels (N, up to 5) of the training features with the largest cosine, nearest first."""
    return _nearest(
        inputs, inputs.cached(feature_directions), unit(inputs.reference.features.astype(np.float64))
    )


def majority(labels: np.ndarray) -> np.ndarray:
    """The most frequent label of each row of (N, K): (N,). Of equally frequent ones the smallest."""
    votes = (labels[:, :, None] == labels[:, None, :]).sum(axis=2)
    best = votes == votes.max(axis=1, keepdims=True)
    return np.asarray(np.where(best, labels, labels.max(initial=0) + 1).min(axis=1))


def _nearest(inputs: MetricInput, tested: np.ndarray, reference: np.ndarray) -> np.ndarray:
    places, labels = _places(reference, inputs.reference.labels)
    nearest = _search(places, tested, min(NEAREST, len(places)))
    distances = np.square(tested[:, None] - places[nearest]).sum(axis=2)
    near = labels[nearest].reshape(len(tested), -1)
    far = np.where(near == _NONE, np.inf, distances.repeat(NEAREST, axis=1))
    first = np.lexsort((near, far), axis=1)[:, : min(NEAREST, len(reference))]
    return np.asarray(np.take_along_axis(near, first, axis=1))


def _search(places: np.ndarray, tested: np.ndarray, count: int) -> np.ndarray:
    """Row numbers (N, count) of the `places` (M, D) nearest to each vector of `tested` (N, D)."""
    if places.shape[1] <= _TREE_DIMENSIONS:
        from scipy.spatial import KDTree  # sklearn's is as fast, and takes a second longer to import

        return np.asarray(KDTree(places).query(tested, k=range(1, count + 1))[1])
    from sklearn.neighbors import NearestNeighbors

    center = places.mean(axis=0)  # the products that replace distances lose digits far from the origin
    search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(places - center)
    return np.asarray(search.kneighbors(tested - center, return_distance=False))


def _places(vectors: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows (M, D) of vectors (N, D), sorted, and the five smallest labels at each (M, 5).

    Collapsed features would else make the tree visit every copy for every query.
    """
    order = np.lexsort((labels, *vectors.T))
    vectors, labels = vectors[order], labels[order]
    starts = np.flatnonzero(np.append(True, (vectors[1:] != vectors[:-1]).any(axis=1)))
    sizes = np.diff(starts, append=len(vectors))
    smallest = np.full((len(starts), NEAREST), _NONE)
    for copy in range(NEAREST):
        there = sizes > copy
        smallest[there, copy] = labels[starts[there] + copy]
    return vectors[starts], smallest
