"""Outer classes: the share of class means that lie outside the convex hull of the other means.

Class j is outer if no weights w_k >= 0 with sum_(k != j) w_k = 1 give mean_j = sum_(k != j) w_k mean_k.

Inside is not near the origin: the mean of a short ray between longer ones is inside, and a linear classifier
without a bias tells such a class by its direction. Only inner products with the class means themselves need
all classes to be outer.

Means nearer to the hull than a thousandth of the farthest mean's distance from their center count as inside.
"""

import numpy as np

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._vectors import class_statistics

SPEC = MetricSpec(
    title="outer classes",
    summary="share of class means outside the convex hull of the others",
    unit="fraction",
    cheap=False,
)
_TOLERANCE = 1e-3


def compute(inputs: MetricInput) -> float:
    """Fraction in [0, 1]; 1 with a single class."""
    means = inputs.cached(class_statistics).means
    if len(means) == 1:
        return 1.0
    means = means - means.mean(axis=0)
    largest = np.linalg.norm(means, axis=1).max()
    return float(np.mean([_distance(j, means / (largest or 1.0)) > _TOLERANCE for j in range(len(means))]))


def _distance(j: int, means: np.ndarray) -> float:
    """How far mean j is from the convex hull of the others: non-negative least squares with a sum of 1."""
    from scipy.optimize import nnls

    others = np.delete(means, j, axis=0)
    weight_of_sum = 1e4  # holds the sum near 1
    system = np.vstack([others.T, np.full(len(others), weight_of_sum)])
    return float(nnls(system, np.append(means[j], weight_of_sum))[1])
