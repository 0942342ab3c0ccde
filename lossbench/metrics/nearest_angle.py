"""Nearest angle: the angle from a class direction to the nearest other one, averaged over classes (Inter).

nearest angle = 1/C sum_j min_(k != j) angle(d_j, d_k),  d_j the direction of sum_(y_i = j) x_i / ||x_i||
"""

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._vectors import angular_statistics, nearest_angles

SPEC = MetricSpec(
    title="nearest angle",
    summary="angle from a class direction to the nearest other one, averaged over classes",
    unit="degrees",
    higher_is_better=True,
    source="Deng et al., ArcFace, CVPR 2019, arXiv 1801.07698, Tab. 3",
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Degrees in [0, 180]; NaN with a single class, or when the unit vectors of a class cancel."""
    return float(nearest_angles(inputs.cached(angular_statistics).means).mean())
