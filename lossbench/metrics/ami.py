"""Adjusted mutual information of the classes Y and the clusters K that k-means finds.

AMI = (I(Y; K) - E[I]) / ((H(Y) + H(K)) / 2 - E[I]),  E[I] of clusters of these sizes drawn at random

k is the number of classes present; on unit vectors where the loss compares by cosine.
"""

from ..records import MetricInput
from ..specs import MetricSpec
from ._clustering import k_means

SPEC = MetricSpec(
    title="AMI",
    summary="adjusted mutual information of classes and k-means clusters",
    higher_is_better=True,
    source="Vinh, Epps, Bailey, Information Theoretic Measures for Clusterings Comparison, 2010",
    as_loss_compares=True,
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """At most 1, about 0 for clusters by chance; NaN with a single class."""
    from sklearn.metrics import adjusted_mutual_info_score

    found = inputs.cached(k_means)
    return float(adjusted_mutual_info_score(*found)) if len(set(found.labels)) > 1 else float("nan")
