"""Top-2 accuracy: the fraction of samples whose class has one of the two highest scores.

top2 = 1/N sum_i [rank_i <= 2],  rank_i = 1 + #{j : s_ij > s_iy} + #{j < y : s_ij = s_iy}

Of equal scores the smaller label's comes first, as in the prediction, so top-2 is never below accuracy.
"""

import numpy as np

from ..specs import MetricSpec
from ._inputs import MetricInput

SPEC = MetricSpec(
    title="top-2 accuracy",
    summary="fraction whose class has one of the two highest scores",
    needs="scores",
    unit="percent",
    higher_is_better=True,
    source="Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, 2015, arXiv 1409.0575",
)


def compute(inputs: MetricInput) -> float:
    """Fraction in [0, 1]; a score that is not a number counts as wrong."""
    scores, labels = inputs.scores, inputs.evaluated.labels[:, None]
    true = np.take_along_axis(scores, labels, axis=1)
    higher = ~(scores <= true) | ((scores == true) & (np.arange(scores.shape[1]) < labels))
    return float((higher.sum(axis=1) < 2).mean())
