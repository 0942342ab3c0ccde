"""Compact: a small network that trains every loss well with AdamW on a processor.

A 5x5 convolution with stride 2, four unpadded 3x3 convolutions, a hidden layer of 96; batch norm and
ReLU after each; then the linear feature. No pooling and no PReLU: on a CPU both cost more than they
give. Depth matters more than width in front of a two-dimensional feature, and batch norm is what lets
a high learning rate finish in six epochs (see results/LOG.md for what else was tried).
"""

from ..specs import NetworkSpec
from ._convolutions import ConvolutionalNetwork

SPEC = NetworkSpec(
    title="Compact",
    summary="five strided or unpadded convolutions with batch norm, made for speed",
    smallest_batch=2,
)


class Compact(ConvolutionalNetwork):
    """Images (B, C, H, W) to features (B, D)."""

    convolutions = ((32, 5, 2), (32, 3, 1), (32, 3, 1), (32, 3, 1), (48, 3, 1))
