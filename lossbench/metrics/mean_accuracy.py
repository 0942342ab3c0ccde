"""Nearest-mean accuracy: each sample takes the class whose mean training feature is nearest.

prediction_i = argmin_j ||x_i - mean_j||,  or under cosine  argmax_j cos(x_i, mean_j)

Of equally near means the one with the smallest label counts.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from ..records import Measured
from ..specs import MetricSpec
from ._vectors import classes_of, points, unit

SPEC = MetricSpec(
    title="nearest-mean accuracy",
    summary="fraction whose nearest class mean of the training features is their own",
    needs="reference",
    unit="percent",
    higher_is_better=True,
    source="Mensink et al., Distance-Based Image Classification, 2013",
)


def compute(measured: Measured) -> float:
    """Fraction in [0, 1]."""
    known = classes_of(measured.reference.features.astype(np.float64), measured.reference.labels)
    means = unit(known.means) if measured.cosine else known.means
    nearest = cdist(points(measured), means, "sqeuclidean").argmin(axis=1)
    return float((known.labels[nearest] == measured.tested.labels).mean())
