"""Stride-3: the default network, half the work of `compact`.

A 7x7 convolution with stride 3, three unpadded 3x3 convolutions, a hidden layer of 96; batch norm and ReLU
after each; then the linear feature. The stride leaves 8 x 8 values of a 28 x 28 image. With Muon and
shifted images it is as accurate as `compact` is with AdamW (see results/LOG.md).
"""

from ..specs import NetworkSpec
from ._convolutions import ConvolutionalNetwork

SPEC = NetworkSpec(
    title="Stride-3",
    summary="a 7x7 convolution of stride 3 and three 3x3 ones with batch norm, made for speed",
    smallest_batch=2,
)


class Stride3(ConvolutionalNetwork):
    """Images (B, C, H, W) to features (B, D)."""

    convolutions = ((32, 7, 3), (32, 3, 1), (32, 3, 1), (48, 3, 1))
