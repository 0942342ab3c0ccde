"""QMNIST: MNIST rebuilt from NIST, with the first 10,000 of its test digits."""

from pathlib import Path

from ..records import LabelledImages, Part
from ..specs import DatasetSpec
from ._idx import load_official

SPEC = DatasetSpec(
    title="QMNIST",
    summary="MNIST rebuilt from NIST, with the first 10,000 test digits, 28 x 28",
    source="Yadav, Bottou 2019, arXiv 1905.10498, through torchvision",
    classes=("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"),
    shape=(1, 28, 28),
    val_size=5000,
    epochs=4,
)
_FILES = (
    "qmnist-train-images-idx3-ubyte",
    "qmnist-train-labels-idx2-int",
    "qmnist-test-images-idx3-ubyte",
    "qmnist-test-labels-idx2-int",
)


def load(folder: Path, part: Part, download: bool = True) -> LabelledImages:
    """The 60,000 training and the first 10,000 test images. Raises DataError."""
    fetch = {"what": part}
    stored = load_official("QMNIST", folder, dict.fromkeys(_FILES, ""), part, download=download, fetch=fetch)
    return stored.at(slice(60_000 if part == "train" else 10_000))
