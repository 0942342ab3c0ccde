"""Training, validation and test images on the device: one uint8 tensor each, a batch is an index."""

import contextlib
import functools
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import platformdirs
import torch
from torch import Tensor

from ..errors import DataError, UsageError
from ..records import LabelledImages, Part, SplitSpec
from ..specs import DatasetSpec, catalog
from ..specs.plugins import known_dataset, without_external_code
from ._stratified import validation_mask
from ._user_data import WHERE_NOW, load_user_data


class Splits(NamedTuple):
    """The parts of a data set; val, test and unseen are empty where a run has none of them.

    Labels are those of the classes trained on, 0 to C - 1; unseen ones (test images of classes that
    training never sees) go on from C.
    """

    train: LabelledImages
    val: LabelledImages
    test: LabelledImages
    unseen: LabelledImages


def data_folder(given: Path | None = None) -> Path:
    """Where data sets lie: the given folder, else $LOSSBENCH_DATA, else the user's cache.

    Raises DataError where there is no home directory that has a cache.
    """
    if given is not None:
        return Path(os.path.expanduser(given))
    named = os.environ.get("LOSSBENCH_DATA")
    if named:
        return Path(os.path.expanduser(named))
    with contextlib.suppress(RuntimeError):
        cache = Path(platformdirs.user_cache_dir("lossbench"))
        if cache.is_absolute():  # some versions return ~/.cache as it is
            return cache
    raise DataError(
        "There is no home directory for the data; name a folder with --data-dir or $LOSSBENCH_DATA, "
        "or use --dataset digits, which needs no files."
    )


def load_splits(spec: SplitSpec, folder: Path | None = None, device: torch.device | None = None) -> Splits:
    """The splits of a data set on `device` (None: the CPU).

    Raises DataError, or UsageError for too large a validation split.
    """
    return _load_splits(spec, folder, device or torch.device("cpu"))


def load_stored_splits(spec: SplitSpec, folder: Path | None = None) -> Splits:
    """The splits of a data set that a stored run names, without running code that only the run names.

    Raises DataError, also for a user's data that cannot be used any more.
    """
    try:
        with without_external_code():
            return load_splits(spec, folder)
    except UsageError as error:
        raise DataError(f"{str(error).rstrip('.')}; {WHERE_NOW}.") from None


@functools.lru_cache(maxsize=2)  # a worker of a sweep loads its data once
def _load_splits(spec: SplitSpec, folder: Path | None, device: torch.device) -> Splits:
    dataset, val_size, unseen, eval_split, image_size = spec
    description: DatasetSpec = catalog.spec("data", dataset)
    classes = range(len(description.classes))
    opened: tuple[Part, ...] = ("train", "test") if eval_split == "test" else ("train",)
    if description.digest:
        parts = load_user_data(known_dataset(dataset) or description, opened, image_size)
    else:
        parts = {part: _load_part(dataset, description, part, folder) for part in opened}
    seen = [label for label in classes if label not in unseen]
    train = _of_classes(parts["train"], seen, 0)
    if val_size and len(train.labels) - val_size < len(seen):
        raise UsageError(f"--val-size {val_size} leaves too little of {len(train.labels)} training images.")
    is_val = torch.from_numpy(validation_mask(train.labels.numpy(), val_size))
    test = parts.get("test", train.at(slice(0)))
    splits = (
        train.at(~is_val),
        train.at(is_val),
        _of_classes(test, seen, 0),
        _of_classes(test, unseen, len(seen)),
    )
    return on_device(Splits(*splits), device)


def to_arrays(splits: Splits) -> list[tuple[np.ndarray, ...]]:
    """Splits on the CPU as arrays over the same memory, to go elsewhere."""
    return [tuple(tensor.numpy() for tensor in part) for part in splits]


def from_arrays(parts: Sequence[tuple[np.ndarray, ...]]) -> Splits:
    """What `to_arrays` gave, over the same memory; nothing ever writes to it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that it cannot know that
        return Splits(*(LabelledImages(*map(torch.from_numpy, part)) for part in parts))


def on_device(splits: Splits, device: torch.device) -> Splits:
    """The same splits on another device."""
    return Splits(*(LabelledImages(*(tensor.to(device) for tensor in part)) for part in splits))


def _load_part(dataset: str, spec: DatasetSpec, part: Part, folder: Path | None) -> LabelledImages:
    """All images of the `train` or `test` part, (N, C, H, W). Raises DataError unless they fit the SPEC."""
    images, labels = catalog.load("data", dataset)(data_folder(folder) if spec.needs_files else Path(), part)
    classes = len(spec.classes)
    if len(labels) == 0 or int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise DataError(f"{dataset} has labels outside its {classes} classes, or none at all.")
    if images.ndim == 3:
        images = images.unsqueeze(1)
    if tuple(images.shape[1:]) != spec.shape:
        raise DataError(
            f"{dataset} has images of shape {tuple(images.shape[1:])}; its SPEC says {spec.shape}."
        )
    return LabelledImages(images, labels)


def _of_classes(part: LabelledImages, classes: Sequence[int], first: int) -> LabelledImages:
    """The samples of some classes, renumbered from `first` in the order given."""
    number = torch.full((int(part.labels.max()) + 1 if len(part.labels) else 1,), -1)
    for position, label in enumerate(classes):
        number[label : label + 1] = first + position
    labels = number[part.labels]
    return LabelledImages(part.images[labels >= 0], labels[labels >= 0])


def normalize(images: Tensor, spec: DatasetSpec) -> Tensor:
    """uint8 images (B, C, H, W), or features (B, D0), as new float32 values, minus the mean and over the
    deviation that the SPEC declares."""
    values = images.to(torch.float32, copy=True)
    channels = [values] if len(spec.mean) == 1 else [values[:, c] for c in range(spec.shape[0])]
    for channel, mean, deviation in zip(channels, spec.mean, spec.deviation, strict=True):
        channel.sub_(mean).mul_(1 / deviation)
    return values
