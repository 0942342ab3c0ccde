"""All pairs of samples, accepted as of one class or not by their distance, exactly at every threshold.

A pair is accepted when its distance is at most the threshold: Euclidean distance, or cosine, as the loss
compares. TAR is the fraction of the pairs of one class that are accepted, FAR that of the other pairs.
Only the distances within classes are kept, and four numbers for each; those between classes are counted
against them in blocks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ._inputs import MetricInput
from ._vectors import class_members, compared_vectors

_CELLS = 8_000_000
"""Distances between classes held at once."""


class Roc(NamedTuple):
    """How many pairs are accepted at the V distinct distances within classes, in ascending order.

    own (V,): pairs of one class accepted there; below and upto (V,): pairs of two classes that are nearer,
    and that are nearer or equally near. positives, negatives: how many pairs of each kind there are.
    """

    own: np.ndarray
    below: np.ndarray
    upto: np.ndarray
    positives: int
    negatives: int

    @property
    def defined(self) -> bool:
        """Whether there are pairs of both kinds."""
        return self.positives > 0 and self.negatives > 0

    def true_accept_rates(self, false_accepts: np.ndarray | int) -> np.ndarray:
        """The largest TAR, a fraction, with at most `false_accepts` false accepts, for each of these."""
        passed = np.searchsorted(self.upto, false_accepts, side="right")
        return np.asarray(np.append(0, self.own)[passed] / self.positives)


def roc(inputs: MetricInput) -> Roc:
    """The whole curve; with N = 10,000 in 10 classes from 50 million distances."""
    members = class_members(inputs.evaluated.labels)
    vectors = compared_vectors(inputs)
    distances = _within(vectors, members)
    pairs = len(vectors) * (len(vectors) - 1) // 2
    if not len(distances):
        nothing = np.zeros(0, np.int64)
        return Roc(nothing, nothing, nothing, 0, pairs)
    last = np.flatnonzero(np.append(distances[1:] != distances[:-1], True))
    order = np.concatenate(members)
    below, upto = _count(vectors[order], inputs.evaluated.labels[order], distances[last])
    return Roc(last + 1, below, upto, len(distances), pairs - len(distances))


def _within(vectors: np.ndarray, members: list[np.ndarray]) -> np.ndarray:
    """The squared distances of all pairs within the classes, whose indices are given, in ascending order."""
    from scipy.spatial.distance import pdist  # slow to import: figures of features do without

    sizes = [len(index) * (len(index) - 1) // 2 for index in members]
    ends = np.cumsum(sizes)
    distances = np.empty(ends[-1])
    for index, size, end in zip(members, sizes, ends, strict=True):
        if size:
            pdist(vectors[index], "sqeuclidean", out=distances[end - size : end])
    distances.sort()
    return distances


def _count(vectors: np.ndarray, labels: np.ndarray, distinct: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the pairs of two classes, how many are nearer than `distinct` (V,), and how many at most as near.

    vectors (N, D) are sorted by their labels (N,).
    """
    from scipy.spatial.distance import cdist

    below, equal = np.zeros((2, len(distinct) + 1), np.int64)
    step = max(1, _CELLS // len(labels))
    for start in range(0, len(labels), step):
        rows = slice(start, start + step)
        later = labels[rows, None] < labels[None, start:]
        block = cdist(vectors[rows], vectors[start:], "sqeuclidean")[later]
        block.sort()  # neighbours in the block are then neighbours in `distinct`, and in the cache
        place = np.searchsorted(distinct, block, side="right")
        below += np.bincount(place, minlength=len(below))
        equal += np.bincount(place[distinct[place - 1] == block], minlength=len(below))
    below = np.cumsum(below)[:-1]
    return below, below + equal[1:]
