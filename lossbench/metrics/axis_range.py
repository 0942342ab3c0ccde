"""Axis range: the largest absolute coordinate of a feature, which is how far the axes of its figure reach.

range = max_(i, d) |x_id|
"""

import numpy as np

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._vectors import feature_vectors

SPEC = MetricSpec(
    title="axis range",
    summary="largest absolute coordinate of a feature",
    unit="feature units",
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Feature units; features are never empty."""
    return float(np.abs(inputs.cached(feature_vectors)).max())
