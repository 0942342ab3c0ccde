"""Arrays with their names: of an .npz file, of .npy and IDX files, or of a function.

A name says what an array is by one of its words, see `_arrays`. Nothing is unpickled, and no more is read
than there is memory for.
"""

import collections
import math
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import InvalidData, LossbenchError, code_of_user, first_line, shown
from ..specs.plugins import import_object
from . import _idx
from ._survey import check_memory

_SAMPLES = {"images", "image", "features", "feature", "embeddings", "embedding", "data", "x"}
_LABELS = {"labels", "label", "targets", "target", "y"}
_TEST, _OTHER = {"test", "t10k"}, {"val", "valid", "validation", "extra"}
_PLACES = _SAMPLES | _LABELS | {"idx1", "idx3", "idx4"}  # where names of files that belong together differ
_IDX_NAME = re.compile(r"(.*[.-])?idx[1-4]-ubyte(\.gz)?")


def files_in(folder: str) -> list[str]:
    """The files of arrays directly in a folder, sorted."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.is_file() and _is_array_file(entry.name))
    return [os.path.join(folder, name) for name in names]


def companions(path: str) -> list[str]:
    """The other files of arrays that belong to an .npy or IDX file: those of its folder whose name differs in
    the words that say what an array is."""
    folder, name = os.path.split(path)
    if not _is_array_file(name):
        return []
    words = _words(name) - _PLACES
    return [
        other
        for other in files_in(folder)
        if other != path and _words(os.path.basename(other)) - _PLACES == words
    ]


def _is_array_file(name: str) -> bool:
    return name.lower().endswith(".npy") or _IDX_NAME.fullmatch(name.lower()) is not None


def _words(name: str) -> set[str]:
    """The words of a name: `X_train`, `train-images.idx3-ubyte`, `testLabels`."""
    return set(re.findall(r"[a-z]+\d*[a-z]*", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()))


def role_of(name: str) -> str | None:
    """What an array is by its name, like `train labels`; None for one that is not read."""
    words = _words(name)
    part = "test" if words & _TEST else "train"
    if "classes" in words or ("names" in words and not words & _SAMPLES):
        return "classes"
    if words & _OTHER:
        return None
    if words & _LABELS:
        return f"{part} labels"
    return f"{part} samples" if words & _SAMPLES else None


def named_arrays(location: str) -> Iterator[tuple[str, Any]]:
    """The arrays in a place with their names."""
    if not os.path.exists(location):
        yield from _of_function(location)
    elif os.path.isdir(location):
        for path in files_in(location):
            yield os.path.basename(path), _array_file(path)
    elif zipfile.is_zipfile(location):
        yield from _of_npz(location)
    else:
        for path in [location, *companions(location)]:
            name = os.path.basename(path)
            yield (name if role_of(name) else "images"), _array_file(path)


def _of_npz(path: str) -> Iterator[tuple[str, np.ndarray]]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
            positional = (
                {"arr_0": "images", "arr_1": "labels"} if entries.keys() == {"arr_0", "arr_1"} else {}
            )
            wanted = {name: e for name, e in entries.items() if role_of(positional.get(name, name))}
            size = sum(entry.file_size for entry in wanted.values())
            check_memory(path, 2 * size, f"its arrays, {size / 1e9:,.1f} GB when unpacked,")
            for name, entry in wanted.items():
                with archive.open(entry) as file:
                    yield positional.get(name, name), _npy(file, entry.file_size, f"{path}: {name}")
    except LossbenchError:
        raise
    except Exception as error:  # a damaged archive fails in many ways, in zipfile and zlib
        raise InvalidData(f"{shown(path)} cannot be read: {first_line(error)}.") from None


def _array_file(path: str) -> np.ndarray:
    """The array of an .npy or IDX file. Raises InvalidData."""
    try:
        with open(path, "rb") as file:
            if file.read(6) == b"\x93NUMPY":
                file.seek(0)
                return _npy(file, os.path.getsize(path), path)
    except OSError as error:
        raise InvalidData(f"{shown(path)} cannot be read: {error.strerror or error}.") from None
    if (array := _idx.read_array(Path(path))) is None:
        raise InvalidData(f"{shown(path)} is not an .npz, .npy or IDX file (up to 1 GiB), or is cut short.")
    return array


def _npy(file: Any, size: int, where: str) -> np.ndarray:
    """The array of an open .npy file of this size. Raises InvalidData for one cut short, or with objects."""
    try:
        old = np.lib.format.read_magic(file) == (1, 0)
        read_header = np.lib.format.read_array_header_1_0 if old else np.lib.format.read_array_header_2_0
        shape, fortran_order, dtype = read_header(file)
    except Exception as error:
        raise InvalidData(
            f"{shown(where)} is not an .npy file, or is cut short: {first_line(error)}."
        ) from None
    if dtype.hasobject:
        raise InvalidData(f"{shown(where)} holds Python objects, which are not read; save numbers or words.")
    promised, size = math.prod(shape) * dtype.itemsize, size - file.tell()
    if promised != size or min(shape, default=0) < 0:
        raise InvalidData(
            f"{shown(where)} is cut short or altered: {size:,} bytes where its header promises {promised:,}."
        )
    check_memory(where, 2 * promised, f"{promised / 1e9:,.1f} GB of values")
    content = bytearray(promised)
    view, done = memoryview(content), 0
    while count := file.readinto(view[done:]):
        done += count
    if done < promised:
        raise InvalidData(f"{shown(where)} is cut short: {done:,} bytes of {promised:,}.")
    array = np.frombuffer(content, dtype)
    return array.reshape(shape[::-1]).T if fortran_order else array.reshape(shape)


_functions = collections.defaultdict[str, list[Any]](list)
"""Those that users named in this process, which may run for stored runs too; the last one counts."""


def name_function(name: str) -> int:
    """Take what a module has under a name by now, in a notebook perhaps another function than before. Returns
    how many there were. Raises UsageError for one that cannot be imported."""
    function = import_object(f"The data set {name}", name)
    if not any(each is function for each in _functions[name][-1:]):
        _functions[name].append(function)
    return len(_functions[name])


def _of_function(name: str) -> Iterator[tuple[str, np.ndarray]]:
    """What a function returns: a dictionary of arrays, or images and labels, or these for both parts."""
    if name not in _functions:
        name_function(name)
    with code_of_user(f"The data set {name} cannot be used", InvalidData, "; see docs/your-data.md"):
        value = _functions[name][-1]()
        if isinstance(value, tuple) and len(value) == 2 and all(isinstance(part, tuple) for part in value):
            value = (*value[0], *value[1])
        if isinstance(value, tuple | list):
            value = dict(zip(("images", "labels", "test images", "test labels"), value, strict=False))
        if not isinstance(value, Mapping):
            raise TypeError(f"it returns a {type(value).__name__}, not images and labels")
        arrays = {str(name): _as_array(array) for name, array in value.items()}
    yield from arrays.items()


def _as_array(value: object) -> np.ndarray:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        value = value.float() if value.dtype == torch.bfloat16 else value  # which NumPy does not have
    return np.array(value)  # a copy of its own
