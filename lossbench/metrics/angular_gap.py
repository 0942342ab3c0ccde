"""Smallest angular gap: the angle between the two closest class directions.

gap = min_(j != k) angle(d_j, d_k),  d_j the direction of sum_(y_i = j) x_i / ||x_i||
"""

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._vectors import smallest_angle

SPEC = MetricSpec(
    title="angular gap",
    summary="angle between the two closest class directions",
    unit="degrees",
    higher_is_better=True,
    source="Mardia, Jupp, Directional Statistics, 2000 (the mean direction)",
)


def compute(inputs: MetricInput) -> float:
    """Degrees in [0, 180]; NaN with a single class, or when the unit vectors of a class cancel."""
    return inputs.cached(smallest_angle)
