"""NC4: how often the class scores and the nearest training class mean name different classes.

NC4 = share of i with argmax_j f_ij != argmin_j ||x_i - mean_j||
"""

import numpy as np

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._vectors import class_means, feature_vectors

SPEC = MetricSpec(
    title="NC4",
    summary="samples whose predicted class is not that of the nearest training class mean",
    needs="predictions",
    unit="percent",
    source="Papyan, Han, Donoho, PNAS 2020, arXiv 2008.08186, Fig. 7",
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Fraction in [0, 1]."""
    from scipy.spatial.distance import cdist

    reference = inputs.reference
    means = class_means(reference.features.astype(np.float64), reference.labels, inputs.classes)
    distances = cdist(inputs.cached(feature_vectors), means)
    return float((np.nan_to_num(distances, nan=np.inf).argmin(axis=1) != inputs.evaluated.predictions).mean())
