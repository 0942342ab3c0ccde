"""Expected calibration error: the difference of confidence and accuracy, over 15 bins of equal width.

ECE = sum_b |B_b| / N  |accuracy(B_b) - confidence(B_b)|,  B_b = {i : (b-1)/15 < max_j p_ij <= b/15}
"""

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._probabilities import calibration_error, probabilities

SPEC = MetricSpec(
    title="calibration error",
    summary="expected gap between confidence and accuracy, over 15 bins of confidence",
    needs="probabilities",
    unit="fraction",
    higher_is_better=False,
    source="Guo et al., On Calibration of Modern Neural Networks, ICML 2017, arXiv 1706.04599, eq. 3",
)


def compute(inputs: MetricInput) -> float:
    """A fraction in [0, 1]."""
    return calibration_error(probabilities(inputs.scores), inputs.evaluated)
