"""NC2, equal norms: how much the distances of class means from their center differ.

std_j ||m_j|| / mean_j ||m_j||,  m_j the mean of class j minus the mean of the class means
"""

import numpy as np

from ..specs import MetricSpec
from ._collapse import centered_means, has_classes
from ._inputs import MetricInput

SPEC = MetricSpec(
    title="NC2 norms",
    summary="variation of the distances of class means from their center; 0 in neural collapse",
    source="Papyan, Han, Donoho, PNAS 2020, arXiv 2008.08186, Fig. 2",
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """At least 0; NaN with a single class or where all class means coincide."""
    if not has_classes(inputs):
        return float("nan")
    lengths = np.linalg.norm(inputs.cached(centered_means), axis=1)
    return float(lengths.std() / lengths.mean())
