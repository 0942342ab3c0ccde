"""EMNIST digits; the archive stores the images transposed, here they are upright."""

from pathlib import Path

from ..records import LabelledImages, Part
from ..specs import DatasetSpec
from ._idx import load_official

SPEC = DatasetSpec(
    title="EMNIST digits",
    summary="240,000 + 40,000 handwritten digits, 28 x 28",
    source="Cohen et al. 2017, arXiv 1702.05373, through torchvision",
    classes=("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"),
    shape=(1, 28, 28),
    val_size=5000,
    epochs=4,
)
_FILES = (
    "emnist-digits-train-images-idx3-ubyte",
    "emnist-digits-train-labels-idx1-ubyte",
    "emnist-digits-test-images-idx3-ubyte",
    "emnist-digits-test-labels-idx1-ubyte",
)


def load(folder: Path, part: Part, download: bool = True) -> LabelledImages:
    """The 240,000 training and 40,000 test images. Raises DataError."""
    fetch = {"split": "digits", "train": part == "train"}
    stored = load_official("EMNIST", folder, dict.fromkeys(_FILES, ""), part, download=download, fetch=fetch)
    return LabelledImages(stored.images.transpose(1, 2).contiguous(), stored.labels)
