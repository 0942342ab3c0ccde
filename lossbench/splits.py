"""Training, validation and test images on the device: one uint8 tensor each, a batch is an index."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import platformdirs
import torch
from torch import Tensor

from . import catalog
from .errors import DataError, UsageError
from .records import LabelledImages

SPLIT_SEED = 20240229
"""Fixes which images are validation, for every run and machine; stored with each result."""


class Splits(NamedTuple):
    """The three parts; val is empty with `--val-size 0`."""

    train: LabelledImages
    val: LabelledImages
    test: LabelledImages


def data_folder(given: Path | None = None) -> Path:
    """Where data sets lie: the given folder, else $LOSSBENCH_DATA, else the user's cache."""
    if given is not None:
        return given
    named = os.environ.get("LOSSBENCH_DATA")
    return Path(named) if named else Path(platformdirs.user_cache_dir("lossbench"))


@functools.lru_cache(maxsize=2)  # a worker of a sweep loads its data once
def load_splits(
    dataset: str, val_size: int, folder: Path | None = None, device: torch.device | None = None
) -> Splits:
    """The splits of a data set on `device`. Raises DataError, or UsageError for too large a val_size."""
    train, test = catalog.load("datasets", dataset)(data_folder(folder))
    classes = len(catalog.spec("datasets", dataset).classes)
    for images, labels in (train, test):
        if len(labels) == 0 or int(labels.min()) < 0 or int(labels.max()) >= classes:
            raise DataError(f"{dataset} has labels outside its {classes} classes, or none at all.")
        if images.ndim != 3:
            raise DataError(f"{dataset} has images of shape {tuple(images.shape)}; (N, H, W) is needed.")
    if val_size and len(train.labels) - val_size < classes:
        raise UsageError(f"--val-size {val_size} leaves too little of {len(train.labels)} training images.")
    is_val = torch.from_numpy(validation_mask(train.labels.numpy(), val_size))
    parts = (
        LabelledImages(train.images[~is_val], train.labels[~is_val]),
        LabelledImages(train.images[is_val], train.labels[is_val]),
        test,
    )
    return Splits(*(_to_device(part, device or torch.device("cpu")) for part in parts))


def validation_mask(labels: np.ndarray, size: int) -> np.ndarray:
    """True for `size` samples, each class in proportion (largest remainders), always the same ones."""
    classes, counts = np.unique(labels, return_counts=True)
    shares = size * counts / len(labels)
    taken = np.floor(shares).astype(int)
    for position in np.argsort(taken - shares, kind="stable")[: size - taken.sum()]:
        taken[position] += 1
    random = np.random.RandomState(SPLIT_SEED)  # its stream is frozen over NumPy versions
    mask = np.zeros(len(labels), dtype=bool)
    for label, count in zip(classes, taken, strict=True):
        members = np.flatnonzero(labels == label)
        mask[random.permutation(members)[:count]] = True
    return mask


def normalized(images: Tensor) -> Tensor:
    """uint8 images (B, 1, H, W) as float32 in [-1, 1): (p - 127.5) / 128, as Caffe-face has it."""
    return (images.float() - 127.5) * 0.0078125


def _to_device(part: LabelledImages, device: torch.device) -> LabelledImages:
    # one channel: contiguous and channels-last are the same bytes, so an index keeps either layout
    return LabelledImages(part.images.unsqueeze(1).to(device), part.labels.to(device))
