"""Top-2 accuracy: the fraction of samples whose class has one of the two highest scores.

top2 = 1/N sum_i [rank_i <= 2],  rank_i = 1 + #{j : s_ij > s_iy} + #{j < y : s_ij = s_iy}

Of equal scores the smaller label's comes first, as in the prediction, so top-2 is never below accuracy.
"""

from __future__ import annotations

import numpy as np

from ..records import Measured
from ..specs import MetricSpec

SPEC = MetricSpec(
    title="top-2 accuracy",
    summary="fraction whose class has one of the two highest scores",
    needs="scores",
    unit="percent",
    higher_is_better=True,
    source="Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, 2015, arXiv 1409.0575",
)


def compute(measured: Measured) -> float:
    """Fraction in [0, 1]; a score that is not a number counts as wrong."""
    scores, labels = measured.tested.scores, measured.tested.labels[:, None]
    assert scores is not None, "asked for where there are scores, see MetricSpec.needs"
    own = np.take_along_axis(scores, labels, axis=1)
    ahead = ~(scores <= own) | ((scores == own) & (np.arange(scores.shape[1]) < labels))
    return float((ahead.sum(axis=1) < 2).mean())
