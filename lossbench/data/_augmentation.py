"""Random changes of training images, drawn again for every epoch."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ..randomness import derived_seed
from ..specs import AUGMENTATIONS

_SHIFT = 1 / 28  # of the larger side: a pixel of MNIST
_ANGLE = 15.0  # degrees
_ROTATED_AT_ONCE = 4096  # images: rotation needs 12 bytes a pixel


def augment(images: Tensor, names: str, *, seed: int, epoch: int) -> Tensor:
    """Changed copies of uint8 images (N, C, H, W), on their device; `images` itself for `none`.

    The random numbers depend on seed and epoch alone, and are drawn on the CPU: every device sees the same.
    """
    generator = torch.Generator().manual_seed(derived_seed(seed, "augmentation", epoch))
    change = {"shift": shift, "rotate": rotate}
    for name in AUGMENTATIONS:
        if name in names.split(","):
            images = change[name](images, generator)
    return images


def shift(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image moved by up to 1/28 of its size, both ways; the pixels at the edge are repeated."""
    height, width = images.shape[2:]
    reach = max(1, round(max(height, width) * _SHIFT))
    offsets = torch.randint(0, 2 * reach + 1, (len(images), 2), generator=generator)
    padded = _padded(images, reach)
    shifted = torch.empty_like(images)
    for top, left in torch.cartesian_prod(*[torch.arange(2 * reach + 1)] * 2).tolist():
        members = (offsets == torch.tensor([top, left])).all(1).nonzero().flatten().to(images.device)
        view = padded[:, :, top : top + height, left : left + width]
        shifted.index_copy_(0, members, view.index_select(0, members))
    return shifted


def _padded(images: Tensor, reach: int) -> Tensor:
    """Images with a border of `reach` pixels that repeats the edge, also of uint8, which F.pad does not."""
    padded = F.pad(images, (reach,) * 4)
    padded[:, :, :reach] = padded[:, :, reach : reach + 1]
    padded[:, :, -reach:] = padded[:, :, -reach - 1 : -reach]
    padded[:, :, :, :reach] = padded[:, :, :, reach : reach + 1]
    padded[:, :, :, -reach:] = padded[:, :, :, -reach - 1 : -reach]
    return padded


def rotate(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image turned by up to 15 degrees, both ways; the pixels at the edge are repeated."""
    angles = (2 * torch.rand(len(images), generator=generator) - 1) * math.radians(_ANGLE)
    rotated = torch.empty_like(images)
    for part, angle, out in zip(*(x.split(_ROTATED_AT_ONCE) for x in (images, angles, rotated)), strict=True):
        cosine, sine, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
        aspect = images.shape[2] / images.shape[3]  # coordinates are from -1 to 1 on both sides
        matrices = torch.stack([cosine, -sine * aspect, zero, sine / aspect, cosine, zero], 1).view(-1, 2, 3)
        grid = F.affine_grid(matrices.to(images.device), list(part.shape), align_corners=False)
        turned = F.grid_sample(part.float(), grid, padding_mode="border", align_corners=False)
        out.copy_(turned.round())
    return rotated
