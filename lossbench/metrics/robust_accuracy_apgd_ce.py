"""Robust accuracy under APGD: right whatever 100 steps up the cross-entropy find within 0.1 of each pixel.

The step size of an image, 0.2 at first, is halved where it no longer helps (Croce and Hein, Algorithm 1).
Pixels from 0 (black) to 1 (white), margin-free scores; of the first 1,000 images.
"""

from ..records import MetricInput, declared
from ..specs import MetricSpec

SPEC = MetricSpec(
    title="robust accuracy, APGD 0.1",
    column="APGD 0.1",
    summary="images classified right whatever 100 adaptive steps up the cross-entropy find within 0.1",
    needs="images",
    unit="percent",
    higher_is_better=True,
    source="Croce, Hein, Reliable Evaluation of Adversarial Robustness with an Ensemble of Diverse "
    "Parameter-free Attacks, ICML 2020, arXiv 2003.01690",
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Fraction from 0 to the accuracy of these images."""
    return declared(inputs.on_images).robust_accuracy("apgd-ce", 0.1)
