"""Expected calibration error: the difference of confidence and accuracy, over 15 bins of equal width.

ECE = sum_b |B_b| / N  |accuracy(B_b) - confidence(B_b)|,  B_b = {i : (b-1)/15 < max_j p_ij <= b/15}
"""

from __future__ import annotations

import numpy as np

from ..records import MetricInput
from ..specs import MetricSpec
from ._probabilities import probabilities

SPEC = MetricSpec(
    title="calibration error",
    summary="expected gap between confidence and accuracy, over 15 bins of confidence",
    needs="probabilities",
    unit="fraction",
    higher_is_better=False,
    source="Guo et al., On Calibration of Modern Neural Networks, ICML 2017, arXiv 1706.04599, eq. 3",
)


_BINS = 15


def compute(inputs: MetricInput) -> float:
    """A fraction in [0, 1]."""
    split = inputs.evaluated
    confidence = probabilities(inputs.scores).max(axis=1)
    edges = np.linspace(0, 1, _BINS + 1)[1:-1]
    excess = (split.predictions == split.labels) - confidence
    sums = np.bincount(np.digitize(confidence, edges, right=True), weights=excess)
    return float(np.abs(sums).sum() / len(confidence))
