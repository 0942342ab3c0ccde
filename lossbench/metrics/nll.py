"""Negative log-likelihood: how improbable the classifier finds the true classes.

NLL = -1/N sum_i log p_i(y_i),  p_i = softmax(scores_i)
"""

import numpy as np
from scipy.special import log_softmax

from ..specs import MetricSpec
from ._inputs import MetricInput

SPEC = MetricSpec(
    title="negative log-likelihood",
    summary="mean of -log of the probability of the true class",
    needs="probabilities",
    unit="nats",
    higher_is_better=False,
    source="Guo et al., On Calibration of Modern Neural Networks, ICML 2017, arXiv 1706.04599, eq. 6",
)


def compute(inputs: MetricInput) -> float:
    """Nats per sample, >= 0."""
    likelihoods = log_softmax(inputs.scores.astype(np.float64), axis=1)
    return float(-np.take_along_axis(likelihoods, inputs.evaluated.labels[:, None], axis=1).mean())
