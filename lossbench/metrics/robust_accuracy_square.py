"""Robust accuracy under the square attack: right whatever 1,000 queries without gradient find.

Stripes, then squares at random places, move pixels by 0.1; one that lowers f_y - max_(j != y) f_j is kept.

Pixels from 0 (black) to 1 (white), f the margin-free scores; of the first 1,000 images. Below the accuracy
under PGD it shows a masked gradient.
"""

from ..records import MetricInput, declared
from ..specs import MetricSpec

SPEC = MetricSpec(
    title="robust accuracy, squares 0.1",
    column="squares 0.1",
    summary="images classified right whatever 1,000 queries with random squares of 0.1 find",
    needs="images",
    unit="percent",
    higher_is_better=True,
    source="Andriushchenko et al., Square Attack, ECCV 2020, arXiv 1912.00049",
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Fraction from 0 to the accuracy of these images."""
    return declared(inputs.on_images).robust_accuracy("square", 0.1)
