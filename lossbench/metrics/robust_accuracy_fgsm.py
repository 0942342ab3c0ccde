"""Robust accuracy under FGSM: images classified right also after one step of 0.1 up the cross-entropy.

x' = clip(x + 0.1 sign(dL/dx)),  pixels from 0 (black) to 1 (white), L the cross-entropy of margin-free scores

Of the first 1,000 images. Far above the accuracy under PGD it shows a hidden gradient, not robustness.
"""

from ..records import MetricInput, declared
from ..specs import MetricSpec

SPEC = MetricSpec(
    title="robust accuracy, FGSM 0.1",
    column="FGSM 0.1",
    summary="images classified right after one gradient step of 0.1 in each pixel",
    needs="images",
    unit="percent",
    higher_is_better=True,
    source="Goodfellow, Shlens, Szegedy, Explaining and Harnessing Adversarial Examples, ICLR 2015, "
    "arXiv 1412.6572",
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Fraction from 0 to the accuracy of these images."""
    return declared(inputs.on_images).robust_accuracy("fgsm", 0.1)
