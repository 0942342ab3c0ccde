"""MNIST-format data sets on disk: where they lie, whether they are whole, and how to get them.

The layout is torchvision's, so a folder made by torchvision works here and the other way round:
`<data folder>/MNIST/raw/train-images-idx3-ubyte` and three more. Other layouts are recognised by content, and
read as they are: archives (.gz), names with a dot (`train-images.idx3-ubyte`), a folder for each file, files
in the data folder itself or in its folder `MNIST`, and `MNIST` itself as the data folder.
Source of the format: LeCun, Cortes, Burges, The MNIST database, section "file formats".
"""

import contextlib
import gzip
import hashlib
import math
import os
import re
import struct
import sys
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import torch
from filelock import FileLock
from torch import Tensor

from ..errors import DataError, one_line
from ..records import LabelledImages, Part

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAX_ENTRIES = 1000  # of a folder that may be anybody's
_MAX_SIZE = 2**30  # bytes of an unpacked file
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
    part: Part,
    *,
    download: bool,
    fetch: Mapping[str, Any] | None = None,
) -> LabelledImages:
    """The training or the test images of a torchvision data set, verified before they are used.

    `files` maps the unpacked files below `<folder>/<class>/raw`, in the order train images, train labels,
    test images, test labels, to their MD5. Where none is published ('') headers and sizes are checked, and
    torchvision checks the archives that it downloads. `fetch` are the arguments with which torchvision's
    class fetches this part. Only the verified files of this part are used: not those of the other, nor
    torchvision's own cache. Files in another layout are only read. Raises DataError that names a missing or
    altered file.
    """
    raw = folder / torchvision_class / "raw"
    of_part = dict(list(files.items())[:2] if part == "train" else list(files.items())[2:])
    whole = all((raw / name).is_file() for name in of_part)
    others = {} if whole else _in_other_layout(torchvision_class, folder, of_part)
    if len(others) < len(of_part):
        others = {}
        if not all((raw / name).exists() for name in of_part):
            arguments = {"train": part == "train"} if fetch is None else fetch
            _fetch(torchvision_class, folder, files, arguments if download else None)
        for name, digest in of_part.items():
            check_file(raw / name, digest)
    images, labels = (
        _read(*others.get(name, (raw / name,)), images=number == 0) for number, name in enumerate(of_part)
    )
    if len(images) != len(labels):
        raise DataError(f"{raw} has {len(images)} images but {len(labels)} labels.")
    return LabelledImages(images, labels)


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
    """The size that an IDX header promises, None when it is not such a header."""
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _TYPES or len(head) < 4 + 4 * head[3]:
        return None
    items = math.prod(_dimensions(head)) if head[3] else 0
    return 4 + 4 * head[3] + items * np.dtype(_TYPES[head[2]]).itemsize


def _dimensions(head: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{head[3]}I", head[4 : 4 + 4 * head[3]])


def _in_other_layout(title: str, folder: Path, files: Mapping[str, str]) -> dict[str, tuple[Path, bytes]]:
    """The place and content of those of `files` that lie there in another layout, unpacked and whole.

    The MD5 decides where there is one, else the name, in a folder that is named after the data set.
    """
    contents: dict[str, tuple[Path, bytes]] = {}
    for path, of_data_set in _candidates(title, folder, set(map(_plain_name, files))):
        if len(contents) < len(files) and (content := _unpacked(path)) is not None:
            md5 = hashlib.md5(content, usedforsecurity=False).hexdigest() if any(files.values()) else ""
            for name, digest in files.items():
                named = of_data_set and _plain_name(path.name) == _plain_name(name)
                if md5 == digest if digest else named:
                    contents.setdefault(name, (path, content))
    return contents


def _candidates(title: str, folder: Path, names: set[str]) -> Iterator[tuple[Path, bool]]:
    """The files in the data folder, in its folders `raw` and `title`, and in folders named like a file; and
    whether such a place is named after the data set."""
    named = [path for path in _entries(folder) if _is_named(path, title)]
    places = [*(path / "raw" for path in named), *named, folder / "raw", folder]
    for place in places:
        of_data_set = _is_named(place, title) or _is_named(place.parent, title)
        for path in _entries(place):
            inner = _entries(path) if _plain_name(path.name) in names and path.is_dir() else [path]
            yield from ((each, of_data_set) for each in inner if each.is_file())


def _entries(folder: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return sorted(folder.iterdir())[:_MAX_ENTRIES]
    return []


def _is_named(folder: Path, title: str) -> bool:
    """Whether the folder is named after the data set: FashionMNIST, fashion-mnist, fashion_mnist."""
    return re.sub("[-_]", "", folder.name.lower()) == title.lower()


def _plain_name(name: str) -> str:
    return name.lower().removesuffix(".gz").replace(".", "-")


def _unpacked(path: Path) -> bytes | None:
    """The content of an IDX file or of its archive; None for any other file, or one that is not whole."""
    with contextlib.suppress(OSError, EOFError, zlib.error):
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as file:
            head = file.read(4 + 4 * 8)
            size = _expected_size(head)
            if size is not None and size <= _MAX_SIZE:
                content = head + file.read(size + 1 - len(head))
                return content if len(content) == size else None
    return None


def read_array(path: Path) -> np.ndarray | None:
    """The values of an IDX file or of its archive; None for any other file, one that is not whole, and one of
    more than 1 GiB."""
    content = _unpacked(path)
    return None if content is None else _values(content)


def _values(content: bytes) -> np.ndarray:
    shape = _dimensions(content)
    return np.frombuffer(content, _TYPES[content[2]], offset=4 + 4 * len(shape)).reshape(shape or (0,))


def _read(path: Path, content: bytes | None = None, *, images: bool) -> Tensor:
    """A checked file as bytes (N, 28, 28), or as classes (N,) int64, the first column of several."""
    array = _values(path.read_bytes() if content is None else content)
    shape = array.shape
    expected = array.dtype == np.uint8 and shape[1:] == (28, 28) if images else 0 < len(shape) < 3
    if not expected or 0 in shape:
        what = "bytes (N, 28, 28)" if images else "one label per image"
        raise DataError(f"{path} holds values of shape {shape}; {what} are needed.")
    if images:
        return torch.from_numpy(array.copy())
    return torch.from_numpy(array.reshape(shape[0], -1)[:, 0].astype(np.int64))


def _fetch(
    torchvision_class: str, folder: Path, files: Mapping[str, str], arguments: Mapping[str, Any] | None
) -> None:
    """Unpack archives that lie there already, download what is missing: torchvision does both."""
    raw = folder / torchvision_class / "raw"
    advice = (
        f"put {', '.join(files)} (or torchvision's archives of them) into {raw}, "
        "or use --dataset digits, which needs no files"
    )
    if arguments is None:
        raise DataError(f"{torchvision_class} is not in {raw}; {advice}.")
    from torchvision import datasets  # slow to import, and needed only here

    new = [path for path in (raw, raw.parent, folder, *folder.parents) if not path.exists()]
    try:
        # one process fetches, the others of a sweep wait; stdout is kept for results
        with FileLock(_lock_path(raw)), contextlib.redirect_stdout(sys.stderr):
            raw.mkdir(parents=True, exist_ok=True)
            getattr(datasets, torchvision_class)(str(folder), download=True, **arguments)
    except Exception as error:  # RuntimeError, URLError, HTTPError, BadGzipFile, EOFError ...
        for path in new:  # nothing stays behind in a folder that may be anybody's
            with contextlib.suppress(OSError):  # it holds what was fetched
                path.rmdir()
        raise DataError(f"{torchvision_class} could not be fetched ({one_line(error)}); {advice}.") from None


def _lock_path(raw: Path) -> Path:
    """The lock of a data set: not beside it, where it would stay, but in the user's cache, else in the
    system's folder for temporary files."""
    name = f"{hashlib.sha256(str(raw.resolve()).encode()).hexdigest()[:16]}.lock"
    with contextlib.suppress(OSError, RuntimeError):
        locks = Path(platformdirs.user_cache_dir("lossbench")) / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        if os.access(locks, os.W_OK):
            return locks / name
    return Path(tempfile.gettempdir()) / f"lossbench-{name}"
