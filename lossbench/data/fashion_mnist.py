"""Fashion-MNIST: pictures of clothes in the format of MNIST."""

from pathlib import Path

from ..records import LabelledImages, Part
from ..specs import DatasetSpec
from ._idx import STANDARD_FILES, load_official

SPEC = DatasetSpec(
    title="Fashion-MNIST",
    summary="60,000 + 10,000 pictures of clothes, 28 x 28",
    source="Xiao, Rasul, Vollgraf 2017, arXiv 1708.07747, through torchvision",
    classes=("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"),
    shape=(1, 28, 28),
    val_size=5000,
    epochs=4,
)


def load(folder: Path, part: Part, download: bool = True) -> LabelledImages:
    """The 60,000 training and 10,000 test images. Raises DataError."""
    return load_official("FashionMNIST", folder, dict.fromkeys(STANDARD_FILES, ""), part, download=download)
