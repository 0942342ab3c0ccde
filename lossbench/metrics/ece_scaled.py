"""Calibration error after temperature scaling: scores are divided by the T that fits the validation split.

T = argmin -1/N sum_i log softmax(f_i / T)_(y_i) over validation samples; then ECE of softmax(f / T)
"""

import numpy as np

from ..records import Embedding
from ..specs import MetricSpec
from ._inputs import MetricInput, declared
from ._probabilities import calibration_error, probabilities

SPEC = MetricSpec(
    title="calibration error, scaled",
    summary="calibration error after the temperature is fitted to the validation split",
    needs="validation",
    unit="fraction",
    higher_is_better=False,
    source="Guo et al., On Calibration of Modern Neural Networks, ICML 2017, arXiv 1706.04599, section 4.2",
    cheap=False,
)
_LARGEST = np.log(1000.0)
"""Of |log T|: validation samples that are all right would have T fall without end."""


def compute(inputs: MetricInput) -> float:
    """A fraction in [0, 1]."""
    temperature = best_temperature(inputs.validated)
    return calibration_error(probabilities(inputs.scores.astype(np.float64) / temperature), inputs.evaluated)


def best_temperature(part: Embedding) -> float:
    """The temperature with the least negative log-likelihood, within a factor of 1000 of 1."""
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    scores, rows = declared(part.scores).astype(np.float64), np.arange(len(part.labels))

    def nll(log_temperature: float) -> float:
        return float(-log_softmax(scores / np.exp(log_temperature), axis=1)[rows, part.labels].mean())

    return float(np.exp(minimize_scalar(nll, bounds=(-_LARGEST, _LARGEST), method="bounded").x))
