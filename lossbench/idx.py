"""MNIST-format data sets on disk: where they lie, whether they are whole, and how to get them.

The layout is torchvision's, so a folder made by torchvision works here and the other way round:
`<data folder>/MNIST/raw/train-images-idx3-ubyte` and three more, or the same with `.gz`.
Source of the format: LeCun, Cortes, Burges, The MNIST database, section "file formats".
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from filelock import FileLock

from .contracts import LabelledImages
from .errors import DataError

_BYTES_PER_ITEM = {0x08: 1, 0x09: 1, 0x0B: 2, 0x0C: 4, 0x0D: 4, 0x0E: 8}
STANDARD_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def load_official(
    torchvision_class: str,
    folder: Path,
    files: Mapping[str, str],
    *,
    download: bool,
    train: Mapping[str, Any] = MappingProxyType({"train": True}),
    test: Mapping[str, Any] = MappingProxyType({"train": False}),
) -> tuple[LabelledImages, LabelledImages]:
    """The (train, test) images of a torchvision data set, verified before they are used.

    `files` maps the unpacked files below `<folder>/<class>/raw` to their MD5 ('' where none is
    published); `train` and `test` are the arguments with which torchvision's class gives each split.
    Raises DataError that names a missing, cut or altered file.
    """
    from torchvision import datasets  # slow to import, and `digits` does without it

    dataset = getattr(datasets, torchvision_class)
    raw = folder / torchvision_class / "raw"
    splits = [partial(dataset, str(folder), **arguments) for arguments in (train, test)]
    if not all((raw / name).exists() for name in files):
        _fetch(splits, raw, files, download, torchvision_class)
    for name, digest in files.items():
        check_file(raw / name, digest)
    loaded = [_read(split(download=False)) for split in splits]
    for images, labels in loaded:
        if len(images) != len(labels):
            raise DataError(f"{raw} has {len(images)} images but {len(labels)} labels.")
    return loaded[0], loaded[1]


def check_file(path: Path, digest: str = "") -> None:
    """Raise DataError unless `path` is a whole IDX file, with that MD5 if one is given."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(4 + 4 * 8)
            whole = hashlib.md5(usedforsecurity=False)
            if digest:
                file.seek(0)
                while block := file.read(1 << 20):
                    whole.update(block)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    expected = _expected_size(head)
    if expected is None:
        raise DataError(f"{path} is not an IDX file; delete it to have it fetched again.")
    if size != expected:
        raise DataError(
            f"{path} is cut short or altered: {size} bytes where its header promises {expected}; "
            "delete it to have it fetched again."
        )
    if digest and whole.hexdigest() != digest:
        raise DataError(
            f"{path} is altered: its MD5 is not the published one; delete it to have it fetched again."
        )


def _expected_size(head: bytes) -> int | None:
    """The size that an IDX header promises, None when it is no such header."""
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _BYTES_PER_ITEM:
        return None
    dimensions = head[3]
    if not 1 <= dimensions <= 8 or len(head) < 4 + 4 * dimensions:
        return None
    sizes: tuple[int, ...] = struct.unpack(f">{dimensions}I", head[4 : 4 + 4 * dimensions])
    return 4 + 4 * dimensions + math.prod(sizes) * _BYTES_PER_ITEM[head[2]]


def _fetch(
    splits: Sequence[Callable[..., Any]], raw: Path, files: Mapping[str, str], download: bool, title: str
) -> None:
    """Unpack `.gz` files that lie there already, download what is missing; torchvision does both."""
    advice = (
        f"put {', '.join(files)} (or the same with .gz) into {raw}, "
        "or use --dataset digits, which needs no files"
    )
    if not download:
        raise DataError(f"{title} is not in {raw}; {advice}.")
    try:
        raw.mkdir(parents=True, exist_ok=True)
        # one process fetches, the others of a sweep wait; stdout is kept for results
        with FileLock(raw / ".lock"), contextlib.redirect_stdout(sys.stderr):
            for split in splits:
                split(download=True)
    except (
        Exception
    ) as error:  # torchvision raises RuntimeError, URLError, HTTPError, BadGzipFile, EOFError ...
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{title} could not be fetched ({reason}); {advice}.") from None


def _read(dataset: Any) -> LabelledImages:
    images, labels = torch.as_tensor(dataset.data), torch.as_tensor(dataset.targets).long()
    if images.ndim != 3 or images.dtype != torch.uint8:
        raise DataError(
            f"{type(dataset).__name__} has images of shape {tuple(images.shape)}; bytes (N, H, W) are needed."
        )
    return LabelledImages(
        images.contiguous(), labels[:, 0] if labels.ndim == 2 else labels
    )  # QMNIST: class first
