"""Spread/gap ratio: mean within-class distance over the distance of the two closest class means.

    ratio = [1/C sum_j 1/n_j sum_(y_i = j) ||x_i - mean_j||]  /  min_(j != k) ||mean_j - mean_k||

Free of the scale of the features, so it compares losses whose features differ in size.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import pdist

from ..contracts import MetricSpec
from ..records import Measured

SPEC = MetricSpec(
    title="spread/gap",
    summary="intra-class spread over the smallest gap between class means",
    higher_is_better=False,
)


def compute(measured: Measured) -> float:
    """A ratio >= 0; NaN with a single class, infinite when two class means coincide."""
    features, labels = measured.tested.features.astype(np.float64), measured.tested.labels
    own = [features[labels == label] for label in np.unique(labels)]
    if len(own) < 2:
        return float("nan")
    means = np.stack([x.mean(axis=0) for x in own])
    spread = np.mean([np.linalg.norm(x - mean, axis=1).mean() for x, mean in zip(own, means, strict=True)])
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(spread / pdist(means).min())
