"""Nearest angle of weights: from the weight of a class to the nearest other one, averaged (W-Inter).

nearest angle of weights = 1/C sum_j min_(k != j) angle(W_j, W_k)
"""

import numpy as np

from ..specs import MetricSpec
from ._inputs import MetricInput, declared
from ._vectors import nearest_angles, unit

SPEC = MetricSpec(
    title="nearest angle of weights",
    summary="angle from the weight of a class to the nearest other one, averaged over classes",
    needs="weight",
    unit="degrees",
    source="Deng et al., ArcFace, CVPR 2019, arXiv 1801.07698, Tab. 3",
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Degrees in [0, 180]; NaN with a single class. A zero weight is at 90 degrees from everything."""
    return float(nearest_angles(unit(declared(inputs.weight).astype(np.float64))).mean())
