"""Arrays of a user: images (N, H, W) or (N, H, W, C) uint8, or features (N, D0), and labels (N,).

They are named: the arrays of an .npz file, the .npy or IDX files of a folder, the entries of a dictionary
that a function returns. A name says what an array is by one of its words, such as `images`, `X` or
`embeddings`, and `labels`, `y` or `targets`; with the word `test` (or `t10k`) it belongs to the test part.
`classes` may hold the names of the classes. Labels are whole numbers or words. Nothing is unpickled, and no
more is read than there is memory for. The digest covers the arrays and the classes, not the file.
"""

import functools
import hashlib
import math
import os
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ..errors import InvalidData, LossbenchError, first_line, shown
from ..records import LabelledImages, Part
from ..specs.plugins import import_object
from . import _idx
from ._stratified import test_mask
from ._survey import Survey, check_memory, moments

_SAMPLES = {"images", "image", "features", "feature", "embeddings", "embedding", "data", "x"}
_LABELS = {"labels", "label", "targets", "target", "y"}
_TEST, _OTHER = {"test", "t10k"}, {"val", "valid", "validation", "extra"}
_PLACES = (
    _SAMPLES | _LABELS | {"idx1", "idx3", "idx4"}
)  # in what the names of files differ that belong together
_MOST_LABEL = 10**6  # a larger label is no number of a class
_SURVEYED = 2000  # training images of which mean and deviation are found
_IDX_NAME = re.compile(r"(.*[.-])?idx[1-4]-ubyte(\.gz)?")


class Arrays(NamedTuple):
    """Images (N, C, H, W) or features (N, D0) with labels by part, the names of the classes, the digest."""

    parts: dict[Part, LabelledImages]
    classes: tuple[str, ...]
    digest: str


def read(location: str) -> Arrays:
    """The arrays of a file, a folder or a function. Raises InvalidData for any that cannot be used."""
    found = dict[str, Any]()
    for name, array in _named(location):
        role = _role(name)
        if role is None:
            continue
        if role in found:
            raise InvalidData(f"{shown(location)} has several arrays for the {role}, such as {shown(name)}.")
        found[role] = array
    for part in ("train", "test"):
        if (f"{part} samples" in found) != (f"{part} labels" in found) or "train samples" not in found:
            raise InvalidData(
                f"{shown(location)} needs one array named like images or features and one named like labels"
                f"{' for each part' if 'test samples' in found else ''}; see docs/your-data.md."
            )
    given = found.get("classes")
    names = None if given is None else [str(name) for name in np.ravel(given)]
    return _checked(shown(location), found, names)


def survey(arrays: Arrays) -> Survey:
    """What is in arrays."""
    images, labels = arrays.parts["train"]
    has_test = "test" in arrays.parts
    counts = np.bincount(labels.numpy(), minlength=len(arrays.classes))
    train = np.arange(len(labels)) if has_test else np.flatnonzero(~test_mask(labels.numpy()))
    if images.ndim == 2:
        mean, deviation = moments([images.numpy()[train]])
    else:
        chosen = train[np.linspace(0, len(train) - 1, min(_SURVEYED, len(train))).astype(int)]
        mean, deviation = moments(images.numpy()[chosen].swapaxes(0, 1))
    return Survey(arrays.classes, tuple(images.shape[1:]), mean, deviation, arrays.digest, counts, has_test)


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
    own = _words(name) - _PLACES
    return [
        other
        for other in files_in(folder)
        if other != path and _words(os.path.basename(other)) - _PLACES == own
    ]


def _is_array_file(name: str) -> bool:
    return name.lower().endswith(".npy") or _IDX_NAME.fullmatch(name.lower()) is not None


def _words(name: str) -> set[str]:
    """The words of a name: `X_train`, `train-images.idx3-ubyte`, `testLabels`."""
    return set(re.findall(r"[a-z]+\d*[a-z]*", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()))


def _role(name: str) -> str | None:
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


def _named(location: str) -> Iterator[tuple[str, Any]]:
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
            yield (name if _role(name) else "images"), _array_file(path)


def _of_npz(path: str) -> Iterator[tuple[str, np.ndarray]]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
            positional = (
                {"arr_0": "images", "arr_1": "labels"} if entries.keys() == {"arr_0", "arr_1"} else {}
            )
            wanted = {name: e for name, e in entries.items() if _role(positional.get(name, name))}
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
        raise InvalidData(f"{shown(path)} is no .npz, .npy or IDX file (up to 1 GiB), or it is cut short.")
    return array


def _npy(file: Any, size: int, where: str) -> np.ndarray:
    """The array of an open .npy file of this size. Raises InvalidData for one cut short, or with objects."""
    try:
        old = np.lib.format.read_magic(file) == (1, 0)
        read_header = np.lib.format.read_array_header_1_0 if old else np.lib.format.read_array_header_2_0
        shape, fortran_order, dtype = read_header(file)
    except Exception as error:
        raise InvalidData(
            f"{shown(where)} is no .npy file, or it is cut short: {first_line(error)}."
        ) from None
    if dtype.hasobject:
        raise InvalidData(f"{shown(where)} holds Python objects, which are not read; save numbers or words.")
    promised, there = math.prod(shape) * dtype.itemsize, size - file.tell()
    if promised != there or min(shape, default=0) < 0:
        raise InvalidData(
            f"{shown(where)} is cut short or altered: {there:,} bytes where its header promises {promised:,}."
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


def _of_function(name: str) -> Iterator[tuple[str, np.ndarray]]:
    """What a function returns: a dictionary of arrays, or images and labels, or these for both parts."""
    what = f"The data set {name}"
    function = _function(what, name)
    try:
        found = function()
        if isinstance(found, tuple) and len(found) == 2 and all(isinstance(part, tuple) for part in found):
            found = (*found[0], *found[1])
        if isinstance(found, tuple | list):
            found = dict(zip(("images", "labels", "test images", "test labels"), found, strict=False))
        arrays = {str(key): _as_array(value) for key, value in found.items()}
    except Exception as error:  # anybody's code
        raise InvalidData(
            f"{what} cannot be used: {type(error).__name__}: {first_line(error)}; see docs/your-data.md."
        ) from None
    yield from arrays.items()


@functools.lru_cache
def _function(what: str, name: str) -> Any:
    """The function; it may run for a stored run too, once the user has named it in this process."""
    return import_object(what, name)


def _as_array(value: object) -> np.ndarray:
    return np.array(value.detach().cpu() if isinstance(value, torch.Tensor) else value)  # a copy of its own


def _checked(where: str, found: Mapping[str, np.ndarray], names: Sequence[str] | None) -> Arrays:
    """The arrays of both parts, checked, in the types in which training has them."""
    labels, classes = _labels(where, found, names)
    parts = dict[Part, LabelledImages]()
    digest = hashlib.sha256("\0".join(["arrays", *classes]).encode(errors="surrogateescape"))
    for part, own in labels.items():
        samples = _samples(f"{where}, {part} part" if len(labels) > 1 else where, found[f"{part} samples"])
        if len(samples) != len(own):
            raise InvalidData(f"{where} has {len(samples):,} samples but {len(own):,} labels.")
        if part == "test" and samples.shape[1:] != parts["train"].images.shape[1:]:
            raise InvalidData(f"{where}: the test part has samples of another shape than the training part.")
        parts[part] = LabelledImages(torch.from_numpy(samples), torch.from_numpy(own))
        digest.update(f"\0{part} {samples.dtype} {samples.shape}\0".encode())
        digest.update(samples.data)
        digest.update(own.data)
    return Arrays(parts, classes, digest.hexdigest())


def _labels(
    where: str, found: Mapping[str, np.ndarray], names: Sequence[str] | None
) -> tuple[dict[Part, np.ndarray], tuple[str, ...]]:
    """The labels of each part as numbers of classes, and the names of these."""
    order: tuple[Part, ...] = ("train", "test")
    given = {part: found[f"{part} labels"] for part in order if f"{part} labels" in found}
    for array in given.values():
        if array.ndim != 1 and array.shape != (len(array) if array.ndim else 0, 1):
            raise InvalidData(f"{where} has labels of shape {array.shape}; one label per sample is needed.")
        if not len(array):
            raise InvalidData(f"{where} has no samples.")
        if array.dtype.kind not in "iubUS":
            raise InvalidData(f"{where} has labels of type {array.dtype}; whole numbers or words are needed.")
        if array.dtype.kind in "iu" and not 0 <= int(array.min()) <= int(array.max()) < _MOST_LABEL:
            raise InvalidData(
                f"{where} has labels from {array.min()} to {array.max()}; they number the classes from 0."
            )
    values = {part: np.char.decode(a) if a.dtype.kind == "S" else a for part, a in given.items()}
    known = np.unique(values["train"])
    if names is not None:
        if len(set(names)) != len(names):
            raise InvalidData(f"{where}: two classes have the same name.")
        known = np.arange(len(names)) if known.dtype.kind != "U" else np.array(names)
    order_of = np.argsort(known)
    numbers = dict[Part, np.ndarray]()
    for part, array in values.items():
        if strange := np.setdiff1d(array, known)[:1].tolist():
            raise InvalidData(
                f"{where}: the {part} part has the label {strange[0]!r}, which is none of the classes."
            )
        numbers[part] = order_of[np.searchsorted(known, array.ravel(), sorter=order_of)].astype(np.int64)
    return numbers, tuple(map(str, known if names is None else names))


def _samples(where: str, array: np.ndarray) -> np.ndarray:
    """Images (N, C, H, W) uint8 or features (N, D0) float32, contiguous and writable."""
    shape, array = array.shape, array if array.flags.writeable else array.copy()
    if array.ndim not in (2, 3, 4) or 0 in shape or array.dtype.kind not in "iuf":
        raise InvalidData(
            f"{where} has samples of shape {shape} and type {array.dtype}; images (N, H, W) or (N, H, W, C) "
            "of type uint8, or features (N, D), are needed."
        )
    if array.ndim == 2:
        with np.errstate(over="ignore"):
            features = np.ascontiguousarray(array, np.float32)
        if not np.isfinite(features).all():
            row = int(np.flatnonzero(~np.isfinite(features).all(1))[0])
            raise InvalidData(f"{where} has features that are NaN or infinite, first in row {row}.")
        return features
    if array.dtype != np.uint8:
        raise InvalidData(f"{where} has images of type {array.dtype}; uint8, from 0 to 255, is needed.")
    if array.ndim == 3:
        return np.ascontiguousarray(array[:, None])
    if shape[3] in (1, 3):
        return np.ascontiguousarray(array.transpose(0, 3, 1, 2))
    if shape[1] in (1, 3):
        return np.ascontiguousarray(array)
    raise InvalidData(
        f"{where} has images of shape {shape[1:]}; one channel or three are needed, in the last place."
    )
