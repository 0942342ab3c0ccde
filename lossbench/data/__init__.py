"""The data sets, one per file: `load(folder, part, download)` gives images; their splits and batches."""

from ._augmentation import augment
from ._batches import epoch_batches
from ._idx import STANDARD_FILES
from ._splits import (
    Splits,
    data_folder,
    from_arrays,
    load_splits,
    load_stored_splits,
    normalize,
    on_device,
    to_arrays,
)
from ._stratified import SPLIT_SEED
from ._training_conditions import under_conditions
from ._user_data import find_dataset, pictures_of

__all__ = [
    "SPLIT_SEED", "STANDARD_FILES", "Splits", "augment", "data_folder", "epoch_batches",
    "find_dataset", "from_arrays", "load_splits", "load_stored_splits", "normalize", "on_device",
    "pictures_of", "to_arrays", "under_conditions",
]  # fmt: skip
