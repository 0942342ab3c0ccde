"""Davies-Bouldin index: of each class with the other it overlaps most, spreads over distance (Euclidean).

DB = 1/C sum_j max_(k != j) (s_j + s_k) / ||mean_j - mean_k||,  s_j the mean distance to mean_j
"""

import numpy as np
from scipy.spatial.distance import cdist

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._vectors import class_statistics

SPEC = MetricSpec(
    title="Davies-Bouldin index",
    summary="spreads of two classes over the distance of their means, for each class's worst other",
    higher_is_better=False,
    source="Davies, Bouldin, A Cluster Separation Measure, 1979",
)


def compute(inputs: MetricInput) -> float:
    """>= 0; NaN with a single class or when classes without spread coincide, infinite when others do."""
    labels, _, means, spreads = inputs.cached(class_statistics)
    if len(labels) == 1:
        return float("nan")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.add.outer(spreads, spreads) / cdist(means, means)
    np.fill_diagonal(ratios, -np.inf)
    return float(ratios.max(axis=1).mean())
