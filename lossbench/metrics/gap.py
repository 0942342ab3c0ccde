"""Smallest inter-class gap: the distance between the two closest class means (Euclidean).

gap = min_(j != k) ||mean_j - mean_k||
"""

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._vectors import smallest_distance

SPEC = MetricSpec(
    title="gap",
    summary="distance between the two closest class means",
    unit="feature units",
    higher_is_better=True,
)


def compute(inputs: MetricInput) -> float:
    """Smallest distance in feature units; NaN with a single class."""
    return inputs.cached(smallest_distance)
