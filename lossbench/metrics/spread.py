"""Intra-class spread: how far features lie from the mean of their class (Euclidean).

spread = 1/C sum_j  1/n_j sum_(y_i = j) ||x_i - mean_j||
"""

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._vectors import class_statistics

SPEC = MetricSpec(
    title="spread",
    summary="mean distance of a feature to its class mean, averaged over classes",
    unit="feature units",
    higher_is_better=False,
)


def compute(inputs: MetricInput) -> float:
    """Mean over the classes present, in feature units."""
    return float(inputs.cached(class_statistics).spreads.mean())
