"""Corruptions of images at five strengths: blur, noise, occlusion (after Hendrycks and Dietterich 2019)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..data import load_splits
from ..randomness import derived_seed
from .attacks import random_squares
from .model import load_network
from .robustness import IMAGES
from .run_folder import RunFolder

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


@torch.no_grad()
def corrupted_lengths(run: RunFolder, data_dir: Path | None = None) -> dict[str, np.ndarray]:
    """Feature lengths (1 + 5, N) of the first images of the evaluated split by kind of corruption: as they
    are, then at each strength. Raises DataError where the data set cannot be read."""
    config = run.config
    images = getattr(load_splits(config.split_spec, data_dir), config.eval_split).images[:IMAGES]
    network = load_network(run.read_bytes("model.safetensors"), config, str(run.path))
    generator = torch.Generator().manual_seed(derived_seed(config.seed, "corruption"))

    def lengths(given: Tensor) -> np.ndarray:
        return np.asarray(network(given).norm(dim=1).numpy())

    clean = lengths(images)
    return {
        kind: np.stack([clean, *(lengths(corrupted(images, kind, s, generator)) for s in STRENGTHS)])
        for kind in KINDS
    }
