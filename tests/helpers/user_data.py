"""Small data sets as a user has them, in every form that `--dataset` takes."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

FORMS = ("npz", "npy", "idx", "folder", "split folder", "embeddings", "function")
OPTIONS = ["--epochs", "2", "--batch-size", "32", "--network", "linear"]
"""Options of a run that takes a second."""

MODULE = """
    from sklearn.datasets import load_digits

    def digits():
        images, labels = load_digits(n_class=4, return_X_y=True)
        return images.reshape(-1, 8, 8).astype("uint8") * 15, labels
"""


def digits(classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 8, 8) uint8 and labels (N,)."""
    images, labels = load_digits(n_class=classes, return_X_y=True)
    return (images * 15).reshape(-1, 8, 8).astype(np.uint8), labels


def write_images(folder: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """Images (N, H, W[, 3]) as PNG files, a folder for each class."""
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = folder / f"class {label}" / f"{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


def write_idx(path: Path, array: np.ndarray) -> None:
    """A uint8 array as an IDX file."""
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    path.write_bytes(header + array.astype(np.uint8).tobytes())


def make(form: str, folder: Path) -> str:
    """Write four classes of digits below a folder; returns what `--dataset` takes."""
    images, labels = digits()
    place = folder / form.replace(" ", "-")
    if form == "npz":
        np.savez_compressed(place.with_suffix(".npz"), images=images, labels=labels)
        return str(place.with_suffix(".npz"))
    if form == "embeddings":
        np.savez(place.with_suffix(".npz"), features=images.reshape(-1, 64) / 7.0, labels=labels)
        return str(place.with_suffix(".npz"))
    if form == "function":
        (folder / "my_data.py").write_text(textwrap.dedent(MODULE))
        return "my_data:digits"
    place.mkdir()
    if form == "npy":
        np.save(place / "digit_images.npy", images)
        np.save(place / "digit_labels.npy", labels)
        return str(place / "digit_images.npy")
    if form == "idx":
        for part, own in (("train", slice(500)), ("t10k", slice(500, None))):
            write_idx(place / f"{part}-images-idx3-ubyte", images[own])
            write_idx(place / f"{part}-labels-idx1-ubyte", labels[own])
    elif form == "folder":
        write_images(place, images, labels)
    else:
        write_images(place / "train", images[:500], labels[:500])
        write_images(place / "test", images[500:], labels[500:])
    return str(place)
