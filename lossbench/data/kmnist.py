"""KMNIST: cursive Japanese characters in the format of MNIST."""

from pathlib import Path

from ..records import LabelledImages, Part
from ..specs import DatasetSpec
from ._idx import STANDARD_FILES, load_official

SPEC = DatasetSpec(
    title="KMNIST",
    summary="60,000 + 10,000 cursive Japanese characters, 28 x 28",
    source="Clanuwat et al. 2018, arXiv 1812.01718, through torchvision",
    classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    shape=(1, 28, 28),
    val_size=5000,
    epochs=4,
)


def load(folder: Path, part: Part, download: bool = True) -> LabelledImages:
    """The 60,000 training and 10,000 test images. Raises DataError."""
    return load_official("KMNIST", folder, dict.fromkeys(STANDARD_FILES, ""), part, download=download)
