"""Robust accuracy under APGD with the difference of logits ratio, which no scale of the scores changes.

DLR = -(f_y - max_(j != y) f_j) / (f_(1) - f_(3)),  f_(k) the k-th largest of the margin-free scores

Cross-entropy of large scores has no gradient in float32, and hides a network from attacks; this has one. 100
adaptive steps within 0.1; pixels from 0 (black) to 1 (white); of the first 1,000 images.
"""

from ..records import MetricInput, declared
from ..specs import MetricSpec

SPEC = MetricSpec(
    title="robust accuracy, APGD-DLR 0.1",
    column="APGD-DLR 0.1",
    summary="images classified right whatever 100 adaptive steps up the logits ratio find within 0.1",
    needs="images",
    unit="percent",
    higher_is_better=True,
    source="Croce, Hein, Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse "
    "Parameter-free Attacks, ICML 2020, arXiv 2003.01690",
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Fraction from 0 to the accuracy of these images; NaN for two classes."""
    return declared(inputs.on_images).robust_accuracy("apgd-dlr", 0.1)
