"""Within-class variance: the share of the variance of features that is not between class means.

tr(S_W) / (tr(S_W) + tr(S_B)),  S_W and S_B the covariances within classes and of the class means
"""

import numpy as np

from ..specs import MetricSpec
from ._collapse import centered_means, has_classes, within_covariance
from ._inputs import MetricInput

SPEC = MetricSpec(
    title="within-class variance",
    summary="share of the variance of features that lies within classes",
    unit="fraction",
    higher_is_better=False,
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Fraction in [0, 1]; NaN with a single class or where all class means coincide."""
    if not has_classes(inputs):
        return float("nan")
    within = np.trace(inputs.cached(within_covariance))
    between = np.square(inputs.cached(centered_means)).sum(axis=1).mean()
    return float(within / (within + between))
