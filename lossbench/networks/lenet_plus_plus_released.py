"""LeNet++ as the center-loss authors released it: with a PReLU after the feature, which losses then see."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..specs import NetworkSpec
from ._lenet_plus_plus import LeNetPlusPlusBase
from ._prelu import PReLU

SPEC = NetworkSpec(
    title="LeNet++ (released)",
    summary="LeNet++ with a PReLU after the feature, as released with the center-loss paper",
    paper="ydwen/caffe-face, mnist_example; Wen et al., ECCV 2016",
    threads=2,
)


class LeNetPlusPlusReleased(LeNetPlusPlusBase):
    """Images (B, C, H, W) to features (B, D), each with a slope of its own below zero."""

    def __init__(self, input_shape: Sequence[int], feature_dim: int) -> None:
        super().__init__(input_shape, feature_dim)
        self.activation = PReLU(feature_dim)

    def forward(self, images: Tensor) -> Tensor:
        """Normalized images (B, C, H, W) to features (B, D) float32."""
        linear = super().forward(images)
        with torch.autocast(images.device.type, enabled=False):  # features are float32
            features: Tensor = self.activation(linear)
        return features
