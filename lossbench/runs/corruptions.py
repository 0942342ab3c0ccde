"""Corruptions of images at five strengths: blur, noise, occlusion (after Hendrycks and Dietterich 2019)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .attacks import random_squares

KINDS = ("blur", "noise", "occlusion")
STRENGTHS = range(1, 6)


def corrupted(images: Tensor, kind: str, strength: int, generator: torch.Generator) -> Tensor:
    """Images (B, C, H, W) from 0 to 255, corrupted.

    Per unit of strength: a Gaussian blur of 0.5 pixels, Gaussian noise of a tenth of the range, a square of
    zeros of a tenth of the shorter side, at a random place for each image.
    """
    images = images.float()
    if kind == "blur":
        reach = min(2 * strength, min(images.shape[-2:]) - 1)
        weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / (0.5 * strength)) ** 2)
        weights = (weights / weights.sum()).expand(images.shape[1], 1, 1, -1)
        padded = F.pad(images, (reach, reach, reach, reach), mode="reflect")
        rows = F.conv2d(padded, weights, groups=images.shape[1])
        return F.conv2d(rows, weights.transpose(2, 3), groups=images.shape[1])
    if kind == "noise":
        return (images + 25.5 * strength * torch.randn(images.shape, generator=generator)).clamp(0, 255)
    height, width = images.shape[-2:]
    side = max(1, round(0.1 * strength * min(height, width)))
    return images.masked_fill(random_squares(len(images), (height, width), side, generator), 0)
