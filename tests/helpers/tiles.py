"""A data set for tests, unlike the built-in ones: 25 classes of colour images, 3 x 32 x 32.

The class decides the colour (five hues) and the pattern (five stripe widths). `catalog.added` makes it known.
"""

from __future__ import annotations

import colorsys
from pathlib import Path

import numpy as np
import torch

from lossbench.records import LabelledImages, Part
from lossbench.specs import DatasetSpec

SPEC = DatasetSpec(
    title="Tiles",
    summary="striped tiles in five colours and five widths, 3 x 32 x 32",
    source="drawn by this file",
    classes=(
        "red-1", "red-2", "red-3", "red-4", "red-5", "lime-1", "lime-2", "lime-3", "lime-4", "lime-5",
        "green-1", "green-2", "green-3", "green-4", "green-5", "blue-1", "blue-2", "blue-3", "blue-4", "blue-5",
        "pink-1", "pink-2", "pink-3", "pink-4", "pink-5",
    ),
    shape=(3, 32, 32),
    mean=(96.0, 96.0, 96.0),
    deviation=(64.0, 64.0, 64.0),
    val_size=100,
    epochs=3,
    needs_files=False,
)  # fmt: skip


def load(folder: Path, part: Part, download: bool = True) -> LabelledImages:
    """The 1,000 training or 250 test images (N, 3, 32, 32); neither folder nor network is used."""
    random = np.random.RandomState(part == "test")
    labels = random.permutation(np.arange(1000 if part == "train" else 250) % 25)
    across = np.arange(32)[None, None, None, :] + random.randint(0, 32, len(labels))[:, None, None, None]
    stripes = across // (1 + labels[:, None, None, None] % 5) % 2
    hues = np.array([colorsys.hsv_to_rgb(hue / 5, 0.8, 1.0) for hue in range(5)])
    images = (
        40
        + 150 * stripes * hues[labels // 5][:, :, None, None]
        + random.randint(0, 40, (len(labels), 3, 32, 32))
    )
    return LabelledImages(torch.from_numpy(images.astype(np.uint8)), torch.from_numpy(labels).long())
