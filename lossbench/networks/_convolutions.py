"""Convolutions and a hidden layer, each with batch norm and ReLU: what small fast networks have in common."""

from collections.abc import Sequence
from typing import ClassVar

from torch import nn

from ._feature_layer import FeatureLayer, FeatureNetwork, output_size
from ._image_convolution import ImageConvolution


class ConvolutionalNetwork(FeatureNetwork):
    """Images (B, C, H, W) to features (B, D). A subclass says its `convolutions` and its `hidden` values."""

    convolutions: ClassVar[tuple[tuple[int, int, int], ...]]
    """Channels, kernel and stride of each; none is padded."""
    hidden: ClassVar[int] = 96

    def __init__(self, input_shape: Sequence[int], feature_dim: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = input_shape[0]
        for channels, kernel, stride in self.convolutions:
            convolution = nn.Conv2d if layers else ImageConvolution
            layers += [
                convolution(before, channels, kernel, stride, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(inplace=True),
            ]
            before = channels
        layers += [
            nn.Flatten(),
            nn.Linear(output_size(layers, input_shape), self.hidden, bias=False),
            nn.BatchNorm1d(self.hidden),
            nn.ReLU(inplace=True),
        ]
        self.trunk = nn.Sequential(*layers)
        self.feature = FeatureLayer(self.hidden, feature_dim)
