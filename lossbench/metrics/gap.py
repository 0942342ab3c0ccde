"""Smallest inter-class gap: the distance between the two closest class means.

gap = min_(j != k) ||mean_j - mean_k||
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import pdist

from ..contracts import MetricSpec
from ..records import Measured

SPEC = MetricSpec(
    title="gap",
    summary="distance between the two closest class means",
    unit="feature units",
    higher_is_better=True,
)


def compute(measured: Measured) -> float:
    """Smallest distance in feature units; NaN with a single class."""
    features, labels = measured.tested.features.astype(np.float64), measured.tested.labels
    means = [features[labels == label].mean(axis=0) for label in np.unique(labels)]
    return float(pdist(np.stack(means)).min()) if len(means) > 1 else float("nan")
