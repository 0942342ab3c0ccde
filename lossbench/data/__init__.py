"""The data sets, one per file: `load(folder, part, download)` gives images; their splits and batches."""

from ._batches import epoch_batches
from ._conditions import under_conditions
from ._idx import STANDARD_FILES
from ._splits import (
    SPLIT_SEED,
    Splits,
    data_folder,
    from_arrays,
    load_splits,
    normalize,
    on_device,
    to_arrays,
)

__all__ = [
    "SPLIT_SEED", "STANDARD_FILES", "Splits", "data_folder", "epoch_batches", "from_arrays", "load_splits",
    "normalize", "on_device", "to_arrays", "under_conditions",
]  # fmt: skip
