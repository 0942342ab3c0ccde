"""Robust accuracy under PGD: images classified right whatever 2 x 20 steps within 0.1 of each pixel find.

x' = clip(x' + 0.0125 sign(d(max_(j != y) f_j - f_y)/dx')) within 0.1 of x,  from 2 random starts

Pixels from 0 (black) to 1 (white), f the margin-free scores; of the first 1,000 images.
"""

from ..records import MetricInput, declared
from ..specs import MetricSpec

SPEC = MetricSpec(
    title="robust accuracy, PGD 0.1",
    column="PGD 0.1",
    summary="images classified right whatever 20 gradient steps from 2 random starts find within 0.1",
    needs="images",
    unit="percent",
    higher_is_better=True,
    source="Madry et al., Towards Deep Learning Models Resistant to Adversarial Attacks, ICLR 2018, "
    "arXiv 1706.06083",
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Fraction from 0 to the accuracy of these images."""
    return declared(inputs.on_images).robust_accuracy("pgd", 0.1)
