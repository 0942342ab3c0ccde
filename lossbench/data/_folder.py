"""Images in folders, one folder per class, in the layout of torchvision's ImageFolder.

    flowers/daisy/1.jpg  flowers/rose/2.jpg ...                 one part
    flowers/train/daisy/1.jpg ...  flowers/test/daisy/2.jpg     two parts; without `test` it is `val`

Classes are sorted by name. Files without the name of an image, and names that begin with a dot, are passed
over. Image files may lie in deeper folders of a class. The digest covers the names and bytes of all image
files.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import InvalidData, first_line, shown
from ..records import LabelledImages, Part
from ..specs import DatasetSpec
from ._stratified import test_mask
from ._survey import Survey, check_memory, moments

PARTS = ("train", "test", "val", "valid", "validation")
_SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".webp", ".gif")
_GREY = ("1", "L", "LA")
_SURVEYED = 200  # images, spread over the training part, of which shape, mean and deviation are found
_LARGE = 512  # pixels; a larger JPEG is surveyed at a fraction of its size


class _Listing(NamedTuple):
    """The image files of a part, in order: paths below the folder, and their labels (N,) int64."""

    paths: list[str]
    labels: np.ndarray


def survey(root: str) -> Survey:
    """What is in a folder; of all files the bytes are read, and some images decoded. Raises InvalidData."""
    classes, listings = _listings(root)
    digest = _digest_of(classes)
    for part, listing in listings.items():
        for path in listing.paths:
            _add(digest, part, path, _bytes(os.path.join(root, path)))
    paths, labels = listings["train"]
    has_test = "test" in listings
    train = np.arange(len(labels)) if has_test else np.flatnonzero(~test_mask(labels))
    sampled = train[np.linspace(0, len(train) - 1, min(_SURVEYED, len(train))).astype(int)]
    images = []
    for path in (os.path.join(root, paths[place]) for place in sampled):
        with _opened(path, _bytes(path)) as image:
            size = image.size
            image.draft(None, (_LARGE, _LARGE))
            images.append((size, image.convert("L" if image.mode in _GREY else "RGB")))
    channels = 3 if any(image.mode == "RGB" for _, image in images) else 1
    width, height = images[0][0] if images else (0, 0)
    arrays = [np.asarray(image.convert("RGB") if channels == 3 else image) for _, image in images]
    pixels = [np.zeros((0, channels), np.uint8), *(array.reshape(-1, channels) for array in arrays)]
    mean, deviation = moments(np.concatenate(pixels).T)
    counts = np.bincount(labels, minlength=len(classes))
    return Survey(classes, (channels, height, width), mean, deviation, digest.hexdigest(), counts, has_test)


def read(root: str, spec: DatasetSpec, image_size: int = 0) -> tuple[dict[Part, LabelledImages], str]:
    """All images of a folder (N, C, H, W) by part, and the digest. Raises InvalidData."""
    classes, listings = _listings(root)
    channels, height, width = spec.shape
    if image_size:
        height = width = image_size
    count = sum(len(listing.paths) for listing in listings.values())
    what = f"{count:,} images of {channels} x {height} x {width}"
    check_memory(root, 2 * count * channels * height * width, what)  # twice while the parts are split
    digest, parts = _digest_of(classes), dict[Part, LabelledImages]()
    for part, (paths, labels) in listings.items():
        images = np.empty((len(paths), height, width, channels), np.uint8)
        for place, path in enumerate(paths):
            content = _bytes(os.path.join(root, path))
            _add(digest, part, path, content)
            images[place] = _decoded(os.path.join(root, path), content, images.shape[1:], bool(image_size))
        tensor = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
        parts[part] = LabelledImages(tensor, torch.from_numpy(labels))
    return parts, digest.hexdigest()


def _decoded(path: str, content: bytes, shape: tuple[int, ...], resized: bool) -> np.ndarray:
    """One image (H, W, C). Raises InvalidData for one of another size or, among grey ones, in colour."""
    height, width, channels = shape
    with _opened(path, content) as image:
        if not resized and image.size != (width, height):
            raise InvalidData(
                f"{shown(path)} has {image.size[0]} x {image.size[1]} pixels, others {width} x {height}; "
                "--image-size brings all to one size."
            )
        if channels == 1 and image.mode not in _GREY:
            raise InvalidData(
                f"{shown(path)} is in colour (mode {image.mode}), others are grey; convert them."
            )
        picture = image.convert("RGB" if channels == 3 else "L")
        if resized:
            picture = ImageOps.fit(picture, (width, height), Image.Resampling.BILINEAR)
    return np.asarray(picture).reshape(shape)


@contextlib.contextmanager
def _opened(path: str, content: bytes) -> Iterator[Image.Image]:
    """The image of a file. Whatever is wrong with it, also while the block decodes it, is InvalidData."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content)) as image:
                if image.mode.startswith(("I", "F")):
                    raise ValueError(f"it has more than 8 bits a channel (mode {image.mode})")
                yield image
    except InvalidData:
        raise
    except Exception as error:  # damaged bytes fail in many ways
        reason = "it is empty or no image" if isinstance(error, UnidentifiedImageError) else first_line(error)
        raise InvalidData(f"{shown(path)} cannot be read as an image: {reason}.") from None


def _listings(root: str) -> tuple[tuple[str, ...], dict[Part, _Listing]]:
    """The classes of a folder, and the files of each part. Raises InvalidData."""
    below = _folders(root)
    parts: dict[Part, str] = {"train": root}
    if "train" in below and set(below) <= set(PARTS):
        parts["train"] = os.path.join(root, "train")
        for name in reversed(PARTS[1:]):
            if name in below:
                parts["test"] = os.path.join(root, name)
    classes = _folders(parts["train"])
    if not classes:
        raise InvalidData(f"{shown(parts['train'])} has no folder per class, no .npy and no IDX files.")
    listings = {}
    for part, folder in parts.items():
        if unknown := sorted(set(_folders(folder)) - set(classes)):
            raise InvalidData(
                f"{shown(os.path.join(folder, unknown[0]))} is a class without training images."
            )
        paths, counts = list[str](), []
        for name in classes:
            before = len(paths)
            if os.path.isdir(os.path.join(folder, name)):
                paths += sorted(_images(os.path.join(folder, name), root))
            counts.append(len(paths) - before)
        listings[part] = _Listing(paths, np.repeat(np.arange(len(classes)), counts))
    if "test" in listings and not listings["test"].paths:
        raise InvalidData(f"{shown(parts['test'])} has no images.")
    return tuple(classes), listings


def _folders(folder: str) -> list[str]:
    """The folders in a folder, sorted. Raises InvalidData for a link that leads elsewhere."""
    with os.scandir(folder) as entries:
        shown_entries = [entry for entry in entries if not entry.name.startswith(".")]
    return sorted(
        entry.name for entry in shown_entries if entry.is_dir() and not _refused_link(entry, folder)
    )


def _images(folder: str, root: str) -> Iterator[str]:
    """The image files of a class, relative to the root. Raises InvalidData for what leads out of it."""
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                named = entry.name.lower().endswith(_SUFFIXES)
                if entry.name.startswith(".") or _refused_link(entry, root):
                    continue
                if entry.is_dir():
                    if named:
                        raise InvalidData(f"{shown(entry.path)} is a folder with the name of an image.")
                    waiting.append(entry.path)
                elif named:
                    if not entry.is_file():
                        raise InvalidData(f"{shown(entry.path)} is not a file.")
                    yield os.path.relpath(entry.path, root)


def _refused_link(entry: os.DirEntry[str], root: str) -> bool:
    """Raise InvalidData for a link to a folder, and for one that leads out of the root or nowhere; False
    otherwise."""
    if entry.is_symlink():
        target = os.path.realpath(entry.path)
        if entry.is_dir() or not target.startswith(root + os.sep) or not os.path.exists(target):
            raise InvalidData(
                f"{shown(entry.path)} is a link to {shown(target)}; put the files there themselves."
            )
    return False


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise InvalidData(f"{shown(path)} cannot be read: {error.strerror or error}.") from None


def _digest_of(classes: tuple[str, ...]) -> hashlib._Hash:
    return hashlib.sha256("\0".join(["folder", *classes]).encode(errors="surrogateescape"))


def _add(digest: hashlib._Hash, part: Part, path: str, content: bytes) -> None:
    digest.update(b"\0%s\0%s\0%d\0" % (part.encode(), os.fsencode(path), len(content)))
    digest.update(content)
