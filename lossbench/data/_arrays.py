"""Arrays of a user: images (N, H, W) or (N, H, W, C) uint8, or features (N, D0), and labels (N,).

They are named: the arrays of an .npz file, the .npy or IDX files of a folder, the entries of a dictionary
that a function returns. A name says what an array is by one of its words, such as `images`, `X` or
`embeddings`, and `labels`, `y` or `targets`; with the word `test` (or `t10k`) it belongs to the test part.
`classes` may hold the names of the classes. Labels are whole numbers or words. Nothing is unpickled, and no
more is read than there is memory for. The digest covers the arrays and the classes, not the file.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from ..errors import InvalidData, shown
from ..records import LabelledImages, Part
from ._array_files import named_arrays, role_of
from ._stratified import test_mask
from ._survey import Survey, moments

_MOST_LABEL = 10**6  # a larger label is not the number of a class
_SURVEYED = 2000  # training images of which mean and deviation are found


class Arrays(NamedTuple):
    """Images (N, C, H, W) or features (N, D0) with labels by part, the names of the classes, the digest."""

    parts: dict[Part, LabelledImages]
    classes: tuple[str, ...]
    digest: str


def read(location: str) -> Arrays:
    """The arrays of a file, a folder or a function. Raises InvalidData for any that cannot be used."""
    arrays = dict[str, Any]()
    for name, array in named_arrays(location):
        role = role_of(name)
        if role is None:
            continue
        if role in arrays:
            raise InvalidData(f"{shown(location)} has several arrays for the {role}, such as {shown(name)}.")
        arrays[role] = array
    for part in ("train", "test"):
        if (f"{part} samples" in arrays) != (f"{part} labels" in arrays) or "train samples" not in arrays:
            raise InvalidData(
                f"{shown(location)} needs one array named like images or features and one named like labels"
                f"{' for each part' if 'test samples' in arrays else ''}; see docs/your-data.md."
            )
    given = arrays.get("classes")
    names = None if given is None else [str(name) for name in _decoded(shown(location), np.ravel(given))]
    return _checked(shown(location), arrays, names)


def survey(arrays: Arrays) -> Survey:
    """A description of the arrays."""
    images, labels = arrays.parts["train"]
    has_test = "test" in arrays.parts
    counts = np.bincount(labels.numpy(), minlength=len(arrays.classes))
    train = np.arange(len(labels)) if has_test else np.flatnonzero(~test_mask(labels.numpy()))
    if images.ndim == 2:
        mean, deviation = moments([images.numpy()[train]])
    else:
        sampled = train[np.linspace(0, len(train) - 1, min(_SURVEYED, len(train))).astype(int)]
        mean, deviation = moments(images.numpy()[sampled].swapaxes(0, 1))
    return Survey(arrays.classes, tuple(images.shape[1:]), mean, deviation, arrays.digest, counts, has_test)


def _checked(where: str, arrays: Mapping[str, np.ndarray], names: Sequence[str] | None) -> Arrays:
    """The arrays of both parts, checked, in the types in which training has them."""
    labels, classes = _labels(where, arrays, names)
    parts = dict[Part, LabelledImages]()
    digest = hashlib.sha256("\0".join(["arrays", *classes]).encode(errors="surrogateescape"))
    for part, numbers in labels.items():
        samples = _samples(f"{where}, {part} part" if len(labels) > 1 else where, arrays[f"{part} samples"])
        if len(samples) != len(numbers):
            raise InvalidData(f"{where} has {len(samples):,} samples but {len(numbers):,} labels.")
        if part == "test" and samples.shape[1:] != parts["train"].images.shape[1:]:
            raise InvalidData(f"{where}: the test part has samples of another shape than the training part.")
        parts[part] = LabelledImages(torch.from_numpy(samples), torch.from_numpy(numbers))
        digest.update(f"\0{part} {samples.dtype} {samples.shape}\0".encode())
        digest.update(samples.data)
        digest.update(numbers.data)
    return Arrays(parts, classes, digest.hexdigest())


def _labels(
    where: str, arrays: Mapping[str, np.ndarray], names: Sequence[str] | None
) -> tuple[dict[Part, np.ndarray], tuple[str, ...]]:
    """The labels of each part as numbers of classes, and the names of these."""
    order: tuple[Part, ...] = ("train", "test")
    given = {part: arrays[f"{part} labels"] for part in order if f"{part} labels" in arrays}
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
    values = {part: _decoded(where, array) for part, array in given.items()}
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
                f"{where}: the {part} part has the label {strange[0]!r}, which is not one of the classes."
            )
        numbers[part] = order_of[np.searchsorted(known, array.ravel(), sorter=order_of)].astype(np.int64)
    return numbers, tuple(map(str, known if names is None else names))


def _decoded(where: str, words: np.ndarray) -> np.ndarray:
    """Words in bytes as text, other arrays as they are."""
    try:
        return np.char.decode(words, "utf-8") if words.dtype.kind == "S" else words
    except UnicodeDecodeError:
        raise InvalidData(f"{where} has labels or names of classes in words that are not UTF-8.") from None


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
