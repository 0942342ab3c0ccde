"""What all networks share: a trunk, then a last layer of D numbers, linear, always float32."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import UsageError


class FeatureLayer(nn.Linear):
    """Flattens (B, ...) and maps it to features (B, D) in float32, also under autocast: two bf16 numbers
    would put all points on a visible grid. No activation: a ReLU would confine them to one quadrant."""

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden values (B, ...) of any floating type to features (B, D)."""
        with torch.autocast(hidden.device.type, enabled=False):
            return F.linear(hidden.flatten(1).to(self.weight.dtype), self.weight, self.bias)


class FeatureNetwork(nn.Module):
    """Samples (B, ...) to features (B, D). A subclass sets its `trunk`, and the `feature` layer after it."""

    trunk: nn.Module
    feature: FeatureLayer

    def forward(self, samples: Tensor) -> Tensor:
        """Normalized samples (B, ...) to features (B, D) float32."""
        features: Tensor = self.feature(self.trunk(samples))
        return features


def standardization(input_shape: Sequence[int]) -> nn.Sequential:
    """Samples (B, ...) to values (B, n), each with mean 0 and about variance 1."""
    return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(math.prod(input_shape), eps=0.01, affine=False))


def check_image_shape(input_shape: Sequence[int]) -> None:
    """Raise UsageError for samples that are not images."""
    if len(input_shape) != 3:
        raise UsageError("This network is for images; for features there are linear and mlp.")


def output_size(layers: Sequence[nn.Module], input_shape: Sequence[int]) -> int:
    """How many values the layers make of one image (C, H, W). Raises UsageError for too small an image, and
    for samples that are not images."""
    check_image_shape(input_shape)
    try:
        with torch.no_grad():
            values: Tensor = nn.Sequential(*layers).eval()(torch.zeros(1, *input_shape))
            return values.numel()
    except RuntimeError:
        size = " x ".join(map(str, input_shape[1:]))
        raise UsageError(
            f"Images of {size} are too small for this network. --network resnet20 takes any size; "
            "--image-size 28 enlarges the images of a folder."
        ) from None
    finally:
        nn.Sequential(*layers).train()
