"""LeNet++: the network of the center-loss paper's MNIST figures.

Departure: the released network has a PReLU after the feature (`lenet++-released`); here the feature is
linear, as in the other networks of this package.
"""

from ..specs import NetworkSpec
from ._lenet_plus_plus import LeNetPlusPlusBase

SPEC = NetworkSpec(
    title="LeNet++",
    summary="six 5x5 convolutions with PReLU, of the center-loss paper",
    paper="Wen et al., ECCV 2016",
    threads=2,
)


class LeNetPlusPlus(LeNetPlusPlusBase):
    """Images (B, C, H, W) to features (B, D)."""
