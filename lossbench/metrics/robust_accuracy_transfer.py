"""Robust accuracy under transfer: images classified right also after an attack on another network.

The other network is the stored softmax run of equal conditions and the neighbouring seed (1 for 0, 0 for 1,
3 for 2 ...), so that softmax itself is attacked like every loss. APGD up its cross-entropy changes each pixel
by 0.1 at most, 1 being from black to white; of the first 1,000 images. Below the accuracy under PGD it shows
a masked gradient.
"""

from ..records import MetricInput, declared
from ..specs import MetricSpec

SPEC = MetricSpec(
    title="robust accuracy, transfer 0.1",
    column="transfer 0.1",
    summary="images classified right after changes of 0.1 made for the softmax run of another seed",
    needs="images",
    unit="percent",
    higher_is_better=True,
    source="Papernot, McDaniel, Goodfellow, Transferability in Machine Learning, 2016, arXiv 1605.07277",
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Fraction from 0 to the accuracy of these images."""
    return declared(inputs.on_images).transfer_accuracy(0.1)
