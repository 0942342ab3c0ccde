"""Intra-class spread: how far features lie from the mean of their class.

spread = 1/C sum_j  1/n_j sum_(y_i = j) ||x_i - mean_j||
"""

from __future__ import annotations

import numpy as np

from ..contracts import MetricSpec
from ..records import Measured

SPEC = MetricSpec(
    title="spread",
    summary="mean distance of a feature to its class mean, averaged over classes",
    unit="feature units",
    higher_is_better=False,
)


def compute(measured: Measured) -> float:
    """Mean over the classes present, in feature units."""
    features, labels = measured.tested.features.astype(np.float64), measured.tested.labels
    own = [features[labels == label] for label in np.unique(labels)]
    return float(np.mean([np.linalg.norm(x - x.mean(axis=0), axis=1).mean() for x in own]))
