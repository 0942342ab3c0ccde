"""ResNet-20: the residual network of small colour images, 0.27 million parameters.

A 3x3 convolution, then three stages of three blocks with 16, 32 and 64 channels, the second and third at
half the size; a block adds two 3x3 convolutions with batch norm to its input; then the mean over all places
and the feature. Source: He, Zhang, Ren, Sun, CVPR 2016, section 4.2, n = 3. Where a stage begins, the input
is taken at every second place, with zeros for the new channels (option A), as there.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import NetworkSpec
from ._feature_layer import FeatureLayer, FeatureNetwork, check_image_shape

SPEC = NetworkSpec(
    title="ResNet-20",
    summary="a residual network for small colour images, 0.27 million parameters",
    paper="He et al., CVPR 2016",
    smallest_batch=2,
    threads=2,
)
_CHANNELS, _BLOCKS = (16, 32, 64), 3


class ResNet20(FeatureNetwork):
    """Images (B, C, H, W) of any size to features (B, D)."""

    def __init__(self, input_shape: Sequence[int], feature_dim: int) -> None:
        super().__init__()
        check_image_shape(input_shape)
        before = _CHANNELS[0]
        first = (_convolution(input_shape[0], before), nn.BatchNorm2d(before), nn.ReLU(inplace=True))
        layers: list[nn.Module] = [*first]
        for channels in _CHANNELS:
            for _ in range(_BLOCKS):
                layers.append(_Block(before, channels))
                before = channels
        self.trunk = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1))
        self.feature = FeatureLayer(before, feature_dim)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")


class _Block(nn.Module):
    def __init__(self, before: int, channels: int) -> None:
        super().__init__()
        self.stride, self.added = channels // before, channels - before
        self.residual = nn.Sequential(
            _convolution(before, channels, self.stride),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            _convolution(channels, channels),
            nn.BatchNorm2d(channels),
        )

    def forward(self, values: Tensor) -> Tensor:
        shortcut = F.pad(values[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.added))
        return F.relu(self.residual(values) + shortcut)


def _convolution(before: int, channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(before, channels, 3, stride, padding=1, bias=False)
