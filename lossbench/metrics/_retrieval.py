"""Retrieval: each sample is a query, and all other samples of the split are ranked by their distance to it.

Shapes: N samples; Q queries, those N whose class has other samples; R of a query, how many others its class
has. Nearest first, by Euclidean distance or by cosine. Of equally near samples those of other classes come
first: ties do not depend on the order of samples, and features that coincide do not count as retrieved.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist

from ._inputs import MetricInput
from ._vectors import class_members, feature_directions, feature_vectors

_CELLS = 4_000_000
"""Distances held at once."""


class Ranking(NamedTuple):
    """Of each query (Q,): whether the nearest is of its class, the fraction of its class among the first R,
    and the average precision there."""

    first: np.ndarray
    r_precision: np.ndarray
    average_precision: np.ndarray

    def mean_of(self, values: np.ndarray) -> float:
        """Mean over queries; NaN when there is none."""
        return float(values.mean()) if len(values) else float("nan")


def retrieve(inputs: MetricInput) -> Ranking:
    """The ranking of every query as the loss compares features, ordered by class."""
    return inputs.cached(retrieve_by_angle if inputs.cosine else retrieve_by_distance)


def retrieve_by_distance(inputs: MetricInput) -> Ranking:
    """The same by Euclidean distance."""
    return _retrieve(inputs.cached(feature_vectors), inputs.evaluated.labels)


def retrieve_by_angle(inputs: MetricInput) -> Ranking:
    """The same by cosine."""
    return _retrieve(inputs.cached(feature_directions), inputs.evaluated.labels)


def _retrieve(vectors: np.ndarray, labels: np.ndarray) -> Ranking:
    parts = [Ranking(*np.zeros((3, 0)))]
    for index in class_members(labels):
        if len(index) == 1:
            continue
        own, others = vectors[index], vectors[labels != labels[index[0]]]
        step = max(1, _CELLS // len(labels))
        parts += [_rank(own, others, slice(start, start + step)) for start in range(0, len(own), step)]
    return Ranking(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _rank(own: np.ndarray, others: np.ndarray, rows: slice) -> Ranking:
    """The ranking of the given rows of one class (n, D) among the rest of it and the other classes."""
    queries, wanted = own[rows], len(own) - 1
    same = cdist(queries, own, "sqeuclidean")
    same[np.arange(len(queries)), np.arange(len(own))[rows]] = np.inf  # a query is not ranked itself
    same = np.sort(same, axis=1)[:, :wanted]
    different = np.full((len(queries), wanted), np.inf)
    for row, farthest, kept in zip(
        cdist(queries, others, "sqeuclidean"), same[:, -1], different, strict=True
    ):
        near = row[row <= farthest]  # others cannot be among the first R; few classes reach so far
        near = np.partition(near, wanted - 1)[:wanted] if len(near) > wanted else near
        kept[: len(near)] = near
    different.sort(axis=1)
    nearest = np.concatenate([different, same], axis=1)  # in this order a stable sort puts ties last
    hits = np.argsort(nearest, axis=1, kind="stable")[:, :wanted] >= different.shape[1]
    precision = np.cumsum(hits, axis=1) / np.arange(1, wanted + 1)
    return Ranking(hits[:, 0].astype(np.float64), hits.mean(axis=1), (precision * hits).sum(axis=1) / wanted)
