"""MNIST: handwritten digits; the four unpacked files are checked by MD5.

Source: LeCun, Bottou, Bengio, Haffner, Gradient-based learning applied to document recognition,
Proc. IEEE 1998.
"""

from pathlib import Path

from ..records import LabelledImages, Part
from ..specs import DatasetSpec
from ._idx import load_official

SPEC = DatasetSpec(
    title="MNIST",
    summary="60,000 + 10,000 handwritten digits, 28 x 28",
    source="LeCun et al. 1998, through torchvision",
    classes=("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"),
    shape=(1, 28, 28),
    val_size=5000,
    epochs=4,
)
_FILES = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


def load(folder: Path, part: Part, download: bool = True) -> LabelledImages:
    """The 60,000 training and 10,000 test images. Raises DataError."""
    return load_official("MNIST", folder, _FILES, part, download=download)
