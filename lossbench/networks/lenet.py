"""LeNet: Caffe's variant with PReLU, a small classic.

Two unpadded 5x5 convolutions (20, 50), each with a 2x2 pool, a hidden layer of 500, then the feature.
Source: Caffe's examples/mnist/lenet (after LeCun et al. 1998), with PReLU as the center-loss authors use.
"""

from __future__ import annotations

from torch import Tensor, nn

from ..specs import NetworkSpec
from ._feature_layer import FeatureLayer
from ._prelu import PReLU

SPEC = NetworkSpec(
    title="LeNet",
    summary="two 5x5 convolutions and a hidden layer of 500, Caffe's LeNet with PReLU",
    paper="LeCun et al. 1998; Caffe examples",
)


class LeNet(nn.Module):
    """(B, 1, 28, 28) to features (B, D)."""

    def __init__(self, feature_dim: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 20, 5),
            PReLU(20),
            nn.MaxPool2d(2),
            nn.Conv2d(20, 50, 5),
            PReLU(50),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(50 * 4 * 4, 500),
            PReLU(500),
        )
        self.feature = FeatureLayer(500, feature_dim)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, 1, 28, 28) to features (B, D) float32."""
        features: Tensor = self.feature(self.trunk(images))
        return features
