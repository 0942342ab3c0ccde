"""CCR at FPR 0.1: the share of known samples accepted and right while at most a tenth of the unknown pass."""

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._open_set import classification_curve

SPEC = MetricSpec(
    title="CCR at FPR 0.1",
    summary="test samples accepted and right where at most 10 % of unseen classes are accepted",
    column="CCR@0.1",
    needs="unknown scores",
    unit="percent",
    higher_is_better=True,
    source="Dhamija, Günther, Boult, Reducing Network Agnostophobia, NeurIPS 2018, arXiv 1811.04110",
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Fraction from 0 to the accuracy."""
    false, correct = inputs.cached(classification_curve)
    return float(correct[false <= 0.1].max())
