"""Calinski-Harabasz index: variance between class means over variance within classes (Euclidean).

CH = [sum_j n_j ||mean_j - mean||^2 / (C - 1)] / [sum_j sum_(y_i = j) ||x_i - mean_j||^2 / (N - C)]
"""

import numpy as np

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._vectors import class_statistics, feature_vectors, ratio

SPEC = MetricSpec(
    title="Calinski-Harabasz index",
    summary="variance between class means over variance within classes",
    higher_is_better=True,
    source="Calinski, Harabasz, A dendrite method for cluster analysis, 1974",
)


def compute(inputs: MetricInput) -> float:
    """>= 0; infinite without spread; NaN with a single class or sample of each, or all in one point."""
    features, statistics = inputs.cached(feature_vectors), inputs.cached(class_statistics)
    class_rows = np.searchsorted(statistics.labels, inputs.evaluated.labels)
    between = np.square(statistics.means - features.mean(axis=0)).sum(axis=1) @ statistics.counts
    within = np.square(features - statistics.means[class_rows]).sum()
    many, few = len(features) - len(statistics.labels), len(statistics.labels) - 1
    return ratio(between * many, within * few)
