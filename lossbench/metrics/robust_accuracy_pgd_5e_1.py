"""Robust accuracy under PGD within 0.5, where every image can become grey: a test of the attack.

x' = clip(x' + 0.0625 sign(d(max_(j != y) f_j - f_y)/dx')) within 0.5 of x,  from 2 random starts

Pixels from 0 (black) to 1 (white), f the margin-free scores; of the first 1,000 images. Clearly above 0 it
shows a masked gradient.
"""

from ..records import MetricInput, declared
from ..specs import MetricSpec

SPEC = MetricSpec(
    title="robust accuracy, PGD 0.5",
    column="PGD 0.5",
    summary="images classified right whatever 20 gradient steps from 2 random starts find within 0.5",
    needs="images",
    unit="percent",
    higher_is_better=True,
    source="Carlini et al., On Evaluating Adversarial Robustness, 2019, arXiv 1902.06705 (unbounded attacks)",
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Fraction from 0 to the accuracy of these images."""
    return declared(inputs.on_images).robust_accuracy("pgd", 0.5)
