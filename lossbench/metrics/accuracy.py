"""Accuracy: the fraction of samples whose predicted class is their own, by the rule of the loss.

accuracy = 1/N sum_i [prediction_i = y_i]
"""

from ..specs import MetricSpec
from ._inputs import MetricInput

SPEC = MetricSpec(
    title="accuracy",
    summary="fraction classified right, by the loss's own margin-free scores or nearest class mean",
    needs="reference",
    unit="percent",
    higher_is_better=True,
)


def compute(inputs: MetricInput) -> float:
    """Fraction in [0, 1]."""
    return float((inputs.evaluated.predictions == inputs.evaluated.labels).mean())
