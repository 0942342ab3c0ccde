"""NC2, equal and largest angles: how far class means are from the directions of a simplex.

mean_(j != k) |cos(m_j, m_k) + 1/(C - 1)|,  m_j the mean of class j minus the mean of the class means

Directions of a simplex need C - 1 dimensions; C directions evenly on a circle are not 0.
"""

import numpy as np

from ..specs import MetricSpec
from ._collapse import centered_means, has_classes
from ._inputs import MetricInput
from ._vectors import unit

SPEC = MetricSpec(
    title="NC2 angles",
    summary="how far the cosines between centered class means are from those of a simplex, -1/(C - 1)",
    source="Papyan, Han, Donoho, PNAS 2020, arXiv 2008.08186, Figs. 3 and 4",
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """At least 0; NaN with a single class or where all class means coincide."""
    if not has_classes(inputs):
        return float("nan")
    directions = unit(inputs.cached(centered_means))
    cosines = (directions @ directions.T)[np.triu_indices(len(directions), 1)]
    return float(np.abs(cosines + 1 / (len(directions) - 1)).mean())
