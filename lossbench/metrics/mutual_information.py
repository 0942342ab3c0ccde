"""Mutual information of the classes Y and the clusters K that k-means finds.

NMI = 2 I(Y; K) / (H(Y) + H(K))
AMI = (I(Y; K) - E[I]) / ((H(Y) + H(K)) / 2 - E[I]),  E[I] of clusters of these sizes drawn at random

k is the number of classes present; on unit vectors where the loss compares by cosine.
"""

import warnings
from typing import NamedTuple

import numpy as np

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._vectors import compared_vectors

SPECS = {
    name: MetricSpec(
        title=name.upper(),
        summary=f"{adjective} mutual information of classes and k-means clusters",
        least=-1 if name == "ami" else 0,
        higher_is_better=True,
        source=source,
        as_loss_compares=True,
        cheap=False,
        arguments={"adjusted": name == "ami"},
    )
    for name, adjective, source in (
        ("nmi", "normalised", "Strehl, Ghosh, Cluster Ensembles, 2002"),
        (
            "ami",
            "adjusted",
            "Vinh, Epps, Bailey, Information Theoretic Measures for Clusterings Comparison, 2010",
        ),
    )
}


def compute(inputs: MetricInput, adjusted: bool) -> float:
    """NMI in [0, 1]; AMI at most 1, about 0 for clusters by chance; NaN with a single class."""
    from sklearn.metrics import adjusted_mutual_info_score, normalized_mutual_info_score

    clusters = inputs.cached(k_means)
    if len(set(clusters.labels)) == 1:
        return float("nan")
    return float((adjusted_mutual_info_score if adjusted else normalized_mutual_info_score)(*clusters))


class Clusters(NamedTuple):
    """The class (N,) and the cluster (N,) of each sample, in an order of their own."""

    labels: np.ndarray
    assigned: np.ndarray


def k_means(inputs: MetricInput) -> Clusters:
    """As many clusters as classes are present, the best of ten starts; on directions under cosine.

    Lloyd, Least squares quantization in PCM, 1982, from the starts of Arthur, Vassilvitskii, k-means++,
    2007. The seed is fixed and the samples are sorted first, so that their order changes nothing.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    vectors, labels = compared_vectors(inputs), inputs.evaluated.labels
    order = np.lexsort((labels, *vectors.T))
    model = KMeans(len(np.unique(labels)), n_init=10, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct features than clusters
        return Clusters(labels[order], model.fit_predict(vectors[order]))
