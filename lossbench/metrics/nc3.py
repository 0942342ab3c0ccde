"""NC3, self-duality: how far the class weights are from the centered class means, both at length 1.

NC3 = || W / ||W||_F - M / ||M||_F ||_F,  row j of M the mean of class j minus the mean of the class means
"""

import numpy as np

from ..specs import MetricSpec
from ._collapse import centered_means, has_classes
from ._inputs import MetricInput, declared

SPEC = MetricSpec(
    title="NC3",
    summary="distance of class weights from class means, each scaled as a whole; 0 in neural collapse",
    needs="weight",
    source="Papyan, Han, Donoho, PNAS 2020, arXiv 2008.08186, Fig. 5",
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """In [0, 2]; NaN where a class is absent, or all means or weights are 0."""
    weight, means = declared(inputs.weight).astype(np.float64), inputs.cached(centered_means)
    if not has_classes(inputs) or means.shape != weight.shape or not np.any(weight):
        return float("nan")
    return float(np.linalg.norm(weight / np.linalg.norm(weight) - means / np.linalg.norm(means)))
