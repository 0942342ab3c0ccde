"""Normalised mutual information of the classes Y and the clusters K that k-means finds.

NMI = 2 I(Y; K) / (H(Y) + H(K))

k is the number of classes present; on unit vectors where the loss compares by cosine.
"""

from ..records import MetricInput
from ..specs import MetricSpec
from ._clustering import k_means

SPEC = MetricSpec(
    title="NMI",
    summary="normalised mutual information of classes and k-means clusters",
    higher_is_better=True,
    source="Strehl, Ghosh, Cluster Ensembles, 2002",
    as_loss_compares=True,
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """In [0, 1]; NaN with a single class."""
    from sklearn.metrics import normalized_mutual_info_score

    found = inputs.cached(k_means)
    return float(normalized_mutual_info_score(*found)) if len(set(found.labels)) > 1 else float("nan")
