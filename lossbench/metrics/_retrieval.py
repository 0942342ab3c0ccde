"""Every sample asks for its class among all others: what it finds in the first R places.

Shapes: N samples; Q queries, the samples whose class has others; R of a query, the others of its class.
The nearest come first, by Euclidean distance or by cosine as the loss compares. Of equally near samples
those of other classes come first, so that ties do not depend on the order of samples and features that
coincide earn nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist

from ..records import Measured
from ._vectors import members, points

_CELLS = 4_000_000
"""Distances held at once."""


class Found(NamedTuple):
    """Of each query (Q,): is the first its class, the fraction of its class, the average precision."""

    first: np.ndarray
    r_precision: np.ndarray
    average_precision: np.ndarray

    def mean_of(self, values: np.ndarray) -> float:
        """Mean over queries; NaN when there is none."""
        return float(values.mean()) if len(values) else float("nan")


def retrieve(measured: Measured) -> Found:
    """What each query finds, queries ordered by class. A class of one sample asks for nothing."""
    vectors, labels = points(measured), measured.tested.labels
    parts = [Found(*np.zeros((3, 0)))]
    for index in members(labels):
        if len(index) == 1:
            continue
        own, others = vectors[index], vectors[labels != labels[index[0]]]
        step = max(1, _CELLS // len(labels))
        parts += [_found(own, others, slice(start, start + step)) for start in range(0, len(own), step)]
    return Found(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _found(own: np.ndarray, others: np.ndarray, rows: slice) -> Found:
    """What the given rows of one class (n, D) find among the rest of it and the other classes."""
    queries, wanted = own[rows], len(own) - 1
    same = cdist(queries, own, "sqeuclidean")
    same[np.arange(len(queries)), np.arange(len(own))[rows]] = np.inf  # nobody finds himself
    same = np.sort(same, axis=1)[:, :wanted]
    different = cdist(queries, others, "sqeuclidean")
    if wanted < len(others):
        different = np.partition(different, wanted - 1, axis=1)[:, :wanted]
    different.sort(axis=1)
    nearest = np.concatenate([different, same], axis=1)  # in this order a stable sort puts ties last
    hits = np.argsort(nearest, axis=1, kind="stable")[:, :wanted] >= different.shape[1]
    precision = np.cumsum(hits, axis=1) / np.arange(1, wanted + 1)
    return Found(hits[:, 0].astype(np.float64), hits.mean(axis=1), (precision * hits).sum(axis=1) / wanted)
