"""Spread/gap ratio: mean within-class distance over the distance of the two closest class means.

    ratio = [1/C sum_j 1/n_j sum_(y_i = j) ||x_i - mean_j||]  /  min_(j != k) ||mean_j - mean_k||

Free of the scale of the features, so it compares losses whose features differ in size.
"""

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._vectors import class_statistics, ratio, smallest_distance

SPEC = MetricSpec(
    title="spread/gap",
    summary="intra-class spread over the smallest gap between class means",
    higher_is_better=False,
)


def compute(inputs: MetricInput) -> float:
    """A ratio >= 0; NaN with a single class, infinite when two class means coincide."""
    return ratio(inputs.cached(class_statistics).spreads.mean(), inputs.cached(smallest_distance))
