"""LeNet: Caffe's variant with PReLU, a small classic.

Two unpadded 5x5 convolutions (20, 50), each with a 2x2 pool, a hidden layer of 500, then the feature.
Source: Caffe's examples/mnist/lenet (after LeCun et al. 1998), with PReLU as the center-loss authors use.
"""

from collections.abc import Sequence

from torch import nn

from ..specs import NetworkSpec
from ._feature_layer import FeatureLayer, FeatureNetwork, output_size
from ._image_convolution import ImageConvolution
from ._prelu import PReLU

SPEC = NetworkSpec(
    title="LeNet",
    summary="two 5x5 convolutions and a hidden layer of 500, Caffe's LeNet with PReLU",
    paper="LeCun et al. 1998; Caffe examples",
)


class LeNet(FeatureNetwork):
    """Images (B, C, H, W) to features (B, D)."""

    def __init__(self, input_shape: Sequence[int], feature_dim: int) -> None:
        super().__init__()
        convolutions = [
            ImageConvolution(input_shape[0], 20, 5),
            PReLU(20),
            nn.MaxPool2d(2),
            nn.Conv2d(20, 50, 5),
            PReLU(50),
            nn.MaxPool2d(2),
        ]
        hidden = nn.Linear(output_size(convolutions, input_shape), 500)
        self.trunk = nn.Sequential(*convolutions, nn.Flatten(), hidden, PReLU(500))
        self.feature = FeatureLayer(500, feature_dim)
