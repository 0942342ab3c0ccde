"""A user's own data: what there is in a place becomes a `DatasetSpec` and labelled images or features.

    a folder with a folder per class     image files, see `_folder`
    an .npz, .npy or IDX file, a folder with .npy or IDX files, or module:function     arrays, see `_arrays`

A place holds `train` and `test` parts, or one part, of which a fifth of each class becomes the test part, the
same samples for every run. The digest covers everything that is read: the names and bytes of image files, or
the arrays themselves, and the classes. It is checked whenever the data are loaded.
"""

import dataclasses
import functools
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import DataError, InvalidData, UsageError, shown
from ..records import LabelledImages, Part
from ..specs import DatasetSpec, catalog
from ..specs.plugins import remember_dataset, remember_place
from . import _array_files, _arrays, _folder
from ._stratified import test_mask
from ._survey import Survey

WHERE_NOW = "say with --dataset where the data are now"
_FEWEST, _FEWEST_BEFORE_SPLIT = 2, 5  # training samples of a class


def find_dataset(text: str, *, stored: bool = False) -> DatasetSpec:
    """The SPEC of the data in a place: a folder, a file, or `module:function`. The process knows it by its
    name from then on; where runs are `stored` on these data, by the name and title that they had then.

    Raises InvalidData for a place that has none that can be used, and UsageError for a function that cannot
    be imported.
    """
    location = _location(text)
    spec = _describe(location, _signature(location))
    if stored:
        remember_place(spec)
    remember_dataset(dataclasses.replace(spec, location="") if stored else spec, named=not stored)
    return spec


def load_user_data(
    spec: DatasetSpec, parts: Iterable[Part], image_size: int = 0
) -> dict[Part, LabelledImages]:
    """Parts of a user's data, as images (N, C, H, W) or features (N, D0).

    Raises DataError for data that have changed since they were described, InvalidData for data that cannot be
    used, and UsageError for a function that must not run because a stored run names it.
    """
    location = spec.location
    if not location:
        raise DataError(
            f"It is not known where the data set {shown(spec.title)} lies; name it with --dataset."
        )
    if not os.path.exists(location) and not _is_function(location):
        raise DataError(f"{shown(location)} is not there; {WHERE_NOW}.")
    if _is_image_folder(location):
        loaded, digest = _folder.read(location, spec, image_size)
    elif image_size:
        raise UsageError("--image-size is for a folder of image files; these data have a shape of their own.")
    else:
        loaded, _, digest = _arrays.read(location)
    if digest != spec.digest:
        changed = f"The data in {shown(location)} have changed and are no longer {spec.name}"
        raise DataError(f"{changed}; {WHERE_NOW}.")
    if "test" not in loaded:
        samples = loaded["train"]
        mask = torch.from_numpy(test_mask(samples.labels.numpy()))
        loaded = {"train": samples.at(~mask), "test": samples.at(mask)}
    return {part: loaded[part] for part in parts}


def pictures_of(samples: Tensor, spec: DatasetSpec) -> np.ndarray:
    """Images (N, C, H, W) as they are; features (N, D0) as grey pictures (N, 1, h, w) of their values, row by
    row, from two deviations below the mean (black) to two above it (white)."""
    if samples.ndim == 4:
        images: np.ndarray = samples.numpy()
        return images
    count, size = samples.shape
    side = int(np.ceil(size**0.5))
    pictures = np.zeros((count, side * side), np.uint8)
    pictures[:, :size] = np.clip(127.5 + 63.75 * (samples.numpy() - spec.mean[0]) / spec.deviation[0], 0, 255)
    return pictures.reshape(count, 1, side, side)


def _location(text: str) -> str:
    """An absolute path, or `module:function`. Raises InvalidData where there is nothing."""
    path = os.path.expanduser(text)
    if "\0" not in path and os.path.exists(path):
        if not os.path.isfile(path) and not os.path.isdir(path):  # a pipe or a device, which may have no end
            raise InvalidData(f"{shown(path)} is neither a folder nor a file.")
        return os.path.realpath(path)
    if _is_function(text):
        return text
    known = ", ".join(catalog.names("data"))
    raise InvalidData(f"{shown(text)} is not there; --dataset names a folder, a file or one of {known}.")


def _is_function(location: str) -> bool:
    module, _, function = location.partition(":")
    return function.isidentifier() and all(part.isidentifier() for part in module.split("."))


def _is_image_folder(location: str) -> bool:
    return os.path.isdir(location) and not _array_files.files_in(location)


def _signature(location: str) -> object:
    """What changes with the data in a place, as far as that can be told without reading them all: it decides
    whether this process reads the place again."""
    if not os.path.exists(location):
        return _array_files.name_function(location)
    paths = [location]
    if os.path.isdir(location):
        for folder in (location, *(os.path.join(location, name) for name in _folder.PARTS)):
            if os.path.isdir(folder):
                paths += [entry.path for entry in os.scandir(folder)]
    else:
        paths += _array_files.companions(location)
    entries = []
    for path in sorted(paths):
        status = os.lstat(path)
        entries.append((path, status.st_mtime_ns, status.st_size))
    return tuple(entries)


@functools.lru_cache(maxsize=16)
def _describe(location: str, _signature: object) -> DatasetSpec:
    try:
        if _is_image_folder(location):
            summary = _folder.survey(location)
        else:
            summary = _arrays.survey(_arrays.read(location))
    except OSError as error:
        where = shown(error.filename or location)
        raise InvalidData(f"{where} cannot be read: {error.strerror or error}.") from None
    _check_classes(location, summary)
    title = location if not os.path.exists(location) else Path(location).name
    for suffix in (".gz", ".npz", ".npy"):
        title = title.removesuffix(suffix)
    samples = int(summary.counts.sum())
    train = samples if summary.has_test else samples - int(test_mask(np.zeros(samples, int)).sum())
    return DatasetSpec.of_user(
        shown(title),
        summary.digest,
        samples=train,
        classes=summary.classes,
        shape=summary.shape,
        mean=summary.mean,
        deviation=summary.deviation,
        location=location,
    )


def _check_classes(location: str, summary: Survey) -> None:
    """Raise InvalidData unless there are two classes, each with enough samples and a name on one line."""
    where = shown(location)
    if len(summary.classes) < 2:
        raise InvalidData(f"{where} has one class, {shown(summary.classes[0])}; training needs two.")
    for name in summary.classes:
        if not name.strip() or not name.isprintable():
            raise InvalidData(f"{where}: the name {name!r} of a class cannot be shown; rename it.")
    needed = _FEWEST if summary.has_test else _FEWEST_BEFORE_SPLIT
    fewest = int(summary.counts.argmin())
    if (count := int(summary.counts[fewest])) < needed:
        raise InvalidData(
            f"{where}: the class {summary.classes[fewest]} has {count} training samples; {needed} are needed."
        )
