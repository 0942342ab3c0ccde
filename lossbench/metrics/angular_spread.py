"""Angular spread: how far the directions of features turn from the direction of their class.

spread = 1/C sum_j  1/n_j sum_(y_i = j) angle(x_i, d_j),  d_j the direction of sum_(y_i = j) x_i / ||x_i||

A zero feature is at 90 degrees from everything.
"""

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._vectors import angular_statistics

SPEC = MetricSpec(
    title="angular spread",
    summary="mean angle of a feature to its class direction, averaged over classes",
    unit="degrees",
    higher_is_better=False,
    source="Mardia, Jupp, Directional Statistics, 2000 (the mean direction)",
)


def compute(inputs: MetricInput) -> float:
    """Degrees in [0, 180]; NaN when the unit vectors of a class cancel or are all zero."""
    return float(inputs.cached(angular_statistics).spreads.mean())
