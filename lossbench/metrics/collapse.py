"""Collapse: whether features have lost their classes, all in one point or two classes on top of each other.

1 if  sqrt(mean ||x_i - mean||^2) <= 1e-6 sqrt(mean ||x_i||^2)
  or  ||mean_j - mean_k|| <= 0.1 (spread_j + spread_k) / 2  for some two classes j, k;  else 0

spread_j is the mean distance to mean_j; unit vectors take the place of features where the loss compares by
cosine. The first says that nothing is left but the rounding of float32 (6e-8 of a number). The second is
free of scale and position: two round 2-D Gaussians at that distance are told apart 52.5 times of 100, 50
being chance. Means of n samples of one distribution lie about sqrt(2 / n) spreads apart, so that 200 of
each class are enough to see it. Not seen: classes around the same mean that differ in shape, and features
that merely lose dimensions.
"""

import numpy as np
from scipy.spatial.distance import cdist

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._vectors import compared_vectors, statistics_of

SPEC = MetricSpec(
    title="collapsed",
    summary="1 when two classes lie on top of each other or all features in one point, else 0",
    higher_is_better=False,
    as_loss_compares=True,
)
_ROUNDING = 1e-6
_OVERLAP = 0.1


def compute(inputs: MetricInput) -> float:
    """0.0 or 1.0, never NaN; with a single class only the whole can collapse."""
    vectors = compared_vectors(inputs)
    around = np.square(vectors - vectors.mean(axis=0)).sum()
    if around <= _ROUNDING**2 * np.square(vectors).sum():
        return 1.0
    statistics = statistics_of(vectors, inputs.evaluated.labels)
    limits = _OVERLAP / 2 * np.add.outer(statistics.spreads, statistics.spreads)
    near = cdist(statistics.means, statistics.means) <= limits
    return float(near[np.triu_indices(len(near), 1)].any())
