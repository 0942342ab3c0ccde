"""Nearest-mean accuracy: each sample takes the class whose mean training feature is nearest.

prediction_i = argmin_j ||x_i - mean_j||,  or under cosine  argmax_j cos(x_i, mean_j)

Of equally near means the one with the smallest label counts.
"""

import numpy as np
from scipy.spatial.distance import cdist

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._vectors import compared_vectors, statistics_of, unit

SPEC = MetricSpec(
    title="nearest-mean accuracy",
    summary="fraction whose nearest class mean of the training features is their own",
    needs="reference",
    unit="percent",
    higher_is_better=True,
    source="Mensink et al., Distance-Based Image Classification, 2013",
    as_loss_compares=True,
)


def compute(inputs: MetricInput) -> float:
    """Fraction in [0, 1]."""
    statistics = statistics_of(inputs.reference.features.astype(np.float64), inputs.reference.labels)
    means = unit(statistics.means) if inputs.cosine else statistics.means
    nearest = cdist(compared_vectors(inputs), means, "sqeuclidean").argmin(axis=1)
    return float((statistics.labels[nearest] == inputs.evaluated.labels).mean())
