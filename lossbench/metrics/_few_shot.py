"""Nearest-mean classification from few samples of each class."""

from __future__ import annotations

import numpy as np

from ..records import MetricInput
from ..statistics import mean_interval
from ._vectors import class_members, compared, compared_vectors

_DRAWS = 100


def few_shot_accuracies(inputs: MetricInput, shots: int) -> np.ndarray:
    """The accuracies (100,) of seeded draws of so many samples of each class; NaN where a class has no more.

    Each other sample takes the class whose mean of drawn samples is nearest; under cosine the mean of
    directions, as a direction. The samples are sorted first, so that their order changes nothing.
    """
    from scipy.spatial.distance import cdist

    vectors, labels = compared_vectors(inputs), inputs.evaluated.labels
    order = np.lexsort((*vectors.T, labels))
    vectors, members = vectors[order], class_members(labels[order])
    if min(map(len, members)) <= shots or len(members) < 2:
        return np.full(_DRAWS, np.nan)
    own = np.repeat(np.arange(len(members)), [len(each) for each in members])
    random, found = np.random.default_rng(0), np.empty(_DRAWS)
    for draw in range(_DRAWS):
        drawn = np.stack([random.choice(each, shots, replace=False) for each in members])
        means = compared(vectors[drawn].mean(axis=1), inputs.cosine)
        others = np.delete(np.arange(len(vectors)), drawn.ravel())
        nearest = cdist(vectors[others], means, "sqeuclidean").argmin(axis=1)
        found[draw] = (nearest == own[others]).mean()
    return found


def half_width(values: np.ndarray) -> float:
    """Half of the 95 % interval of the mean of values (n,)."""
    return float(mean_interval(values.tolist()).half_width)
