"""Angle of weights: between the weight of a class and the direction of its features, averaged (W-EC).

angle of weights = 1/C sum_j angle(W_j, d_j),  d_j the direction of sum_(y_i = j) x_i / ||x_i||
"""

import numpy as np

from ..specs import MetricSpec
from ._inputs import MetricInput, declared
from ._vectors import angles, angular_statistics, unit

SPEC = MetricSpec(
    title="angle of weights",
    summary="angle between the weight and the direction of a class, averaged over classes",
    needs="weight",
    unit="degrees",
    source="Deng et al., ArcFace, CVPR 2019, arXiv 1801.07698, Tab. 3",
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Degrees in [0, 180]; NaN where a class is absent, or when its unit vectors cancel."""
    weight, directions = declared(inputs.weight), inputs.cached(angular_statistics).means
    if directions.shape != weight.shape:
        return float("nan")
    return float(angles(unit(weight.astype(np.float64)), directions).mean())
