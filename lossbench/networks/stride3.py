"""Stride-3: the network of the fast recipe, half the work of `compact`.

A 7x7 convolution with stride 3, three unpadded 3x3 convolutions, a hidden layer of 96; batch norm and ReLU
after each; then the linear feature. The stride leaves 8 x 8 values of a 28 x 28 image. Muon gives back most
of the accuracy that it costs (see results/LOG.md).
"""

from __future__ import annotations

from torch import Tensor, nn

from ..specs import NetworkSpec
from ._convolutions import convolutions
from ._feature_layer import FeatureLayer

SPEC = NetworkSpec(
    title="Stride-3",
    summary="a 7x7 convolution of stride 3 and three 3x3 ones with batch norm, made for speed",
    smallest_batch=2,
)
_CONVOLUTIONS = ((32, 7, 3), (32, 3, 1), (32, 3, 1), (48, 3, 1))  # channels, kernel, stride
_HIDDEN = 96


class Stride3(nn.Module):
    """Images (B, C, H, W) to features (B, D)."""

    def __init__(self, input_shape: tuple[int, int, int], feature_dim: int) -> None:
        super().__init__()
        self.trunk = convolutions(input_shape, _CONVOLUTIONS, hidden=_HIDDEN)
        self.feature = FeatureLayer(_HIDDEN, feature_dim)

    def forward(self, images: Tensor) -> Tensor:
        """Normalized images (B, C, H, W) to features (B, D) float32."""
        features: Tensor = self.feature(self.trunk(images))
        return features
