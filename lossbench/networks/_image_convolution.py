"""The first convolution of a network, fast on a GPU also for images of one channel."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ImageConvolution(nn.Conv2d):
    """torch's convolution, on a GPU as one product of a matrix of patches.

    cuDNN has no tensor-core kernel for the gradient of a convolution of one channel: it took a tenth of a
    step of LeNet. The image needs no gradient, so that patches are made once a step.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) to values (B, channels, H', W')."""
        return self.by_patches(images) if images.is_cuda else super().forward(images)

    def by_patches(self, images: Tensor) -> Tensor:
        """The same, for padding by numbers and no dilation, as a product of patches and weights."""
        (height, width), (down, right) = self.kernel_size, self.stride
        if torch.is_autocast_enabled(images.device.type):
            images = images.to(torch.get_autocast_dtype(images.device.type))  # before they are repeated
        assert not isinstance(self.padding, str)
        above, left = self.padding
        padded = F.pad(images, (left, left, above, above))
        patches = padded.unfold(2, height, down).unfold(3, width, right)  # (B, C, H', W', height, width)
        rows = patches.permute(0, 2, 3, 1, 4, 5).flatten(3)  # (B, H', W', C x height x width)
        return F.linear(rows, self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)
