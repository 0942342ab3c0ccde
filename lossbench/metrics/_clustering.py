"""k-means of the features under test, to compare its clusters with the classes."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from ..records import MetricInput
from ._vectors import compared_vectors


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
