"""Silhouette: how much nearer a sample is to its own class than to the nearest other (Euclidean).

s = 1/N sum_i (b_i - a_i) / max(a_i, b_i)

a_i is the mean distance to the others of its class, b_i the smallest mean distance to another class. The
only sample of a class, and one with a_i = b_i = 0, count 0.
"""

import numpy as np

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._vectors import feature_vectors

SPEC = MetricSpec(
    title="silhouette",
    summary="how much nearer samples are to their own class than to the nearest other",
    least=-1,
    higher_is_better=True,
    source="Rousseeuw, Silhouettes: a graphical aid to the interpretation of cluster analysis, 1987",
    cheap=False,
)
_MEBIBYTES = 64


def compute(inputs: MetricInput) -> float:
    """In [-1, 1]; NaN with a single class, or when every class has a single sample."""
    from sklearn import config_context
    from sklearn.metrics import silhouette_score

    features, labels = inputs.cached(feature_vectors), inputs.evaluated.labels
    if not 1 < len(np.unique(labels)) < len(labels):
        return float("nan")
    with config_context(working_memory=_MEBIBYTES):
        # Minkowski's metric of order 2 is Euclid's, computed by differences, which keep all digits
        return float(silhouette_score(features, labels, metric="minkowski"))
