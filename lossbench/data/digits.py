"""Digits: 1,797 real handwritten 8 x 8 digits that come with scikit-learn, enlarged to 28 x 28.

Source: Alpaydin, Kaynak 1998, Optical Recognition of Handwritten Digits (UCI), the test part. It has no
official split: every fifth sample of each class, in file order, is test, which keeps all classes in
equal parts and needs no randomness.
"""

import functools
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..records import LabelledImages, Part
from ..specs import DatasetSpec

SPEC = DatasetSpec(
    title="Digits",
    summary="1,797 handwritten 8 x 8 digits of scikit-learn, enlarged; no download",
    source="Alpaydin & Kaynak 1998 (UCI), inside scikit-learn",
    classes=("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"),
    shape=(1, 28, 28),
    val_size=180,
    epochs=27,
    needs_files=False,
)
_BRIGHTEST = 16  # the scans have 17 grey levels
_EVERY = 5


def load(folder: Path, part: Part, download: bool = True) -> LabelledImages:  # noqa: ARG001
    """The 1,433 training or 364 test images; neither folder nor network is used."""
    images, labels, in_test = _digits()
    in_part = in_test if part == "test" else ~in_test
    return LabelledImages(images[in_part], labels[in_part])


@functools.cache  # every split of a sweep asks for them
def _digits() -> tuple[Tensor, Tensor, Tensor]:
    """All images and labels, and which of them are test."""
    from sklearn.datasets import load_digits

    scans, labels = load_digits(return_X_y=True)
    position = np.empty(len(labels), dtype=int)
    for label in np.unique(labels):
        position[labels == label] = np.arange((labels == label).sum())
    images = _enlarge(torch.from_numpy(scans.reshape(-1, 8, 8)).float())
    return images, torch.from_numpy(labels).long(), torch.from_numpy(position % _EVERY == 0)


def _enlarge(scans: Tensor) -> Tensor:
    bright = scans[:, None] * (255 / _BRIGHTEST)
    large = F.interpolate(bright, size=SPEC.shape[1:], mode="bilinear", align_corners=False)
    return large[:, 0].round().to(torch.uint8)
