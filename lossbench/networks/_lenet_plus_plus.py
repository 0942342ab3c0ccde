"""The convolutions of LeNet++, which two networks share.

Six 5x5 convolutions (32, 32, 64, 64, 128, 128), PReLU with one slope per channel after each, a pool
after every second; 1152 hidden values, then the feature. Source: Wen et al., ECCV 2016, Table 1, and
the released network, whose last pool is 3x3 with stride 2 where the table prints 2/2,0: 128 x 3 x 3.

Weights start uniform in +-sqrt(3 / fan_in) (Caffe's "xavier"), biases at 0.
"""

from collections.abc import Sequence

from torch import nn

from ._feature_layer import FeatureLayer, FeatureNetwork, output_size
from ._image_convolution import ImageConvolution
from ._prelu import PReLU

_CHANNELS = (32, 64, 128)


class LeNetPlusPlusBase(FeatureNetwork):
    """Images (B, C, H, W) to features (B, D), by a linear layer."""

    def __init__(self, input_shape: Sequence[int], feature_dim: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = input_shape[0]
        for channels in _CHANNELS:
            for inputs in (before, channels):
                convolution = nn.Conv2d if layers else ImageConvolution
                layers += [convolution(inputs, channels, 5, padding=2), PReLU(channels)]
            layers.append(nn.MaxPool2d(2) if channels != _CHANNELS[-1] else nn.MaxPool2d(3, 2))
            before = channels
        self.trunk = nn.Sequential(*layers)
        self.feature = FeatureLayer(output_size(layers, input_shape), feature_dim)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                bound = (3 / layer.weight[0].numel()) ** 0.5
                nn.init.uniform_(layer.weight, -bound, bound)
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
