"""Angular spread/gap ratio: mean angle within classes over the angle of the two closest classes.

    ratio = [1/C sum_j 1/n_j sum_(y_i = j) angle(x_i, d_j)]  /  min_(j != k) angle(d_j, d_k)

d_j is the direction of sum_(y_i = j) x_i / ||x_i||. Free of the lengths of the features.
"""

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._vectors import angular_statistics, ratio, smallest_angle

SPEC = MetricSpec(
    title="angular spread/gap",
    summary="angular spread over the smallest angle between class directions",
    higher_is_better=False,
    source="Mardia, Jupp, Directional Statistics, 2000 (the mean direction)",
)


def compute(inputs: MetricInput) -> float:
    """A ratio >= 0; NaN where either angle is, infinite when two class directions coincide."""
    return ratio(inputs.cached(angular_statistics).spreads.mean(), inputs.cached(smallest_angle))
