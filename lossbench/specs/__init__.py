"""Descriptions of the variants: what a SPEC is made of, names from file names, plugins, feasible settings.

Nothing here imports torch or NumPy when it is imported, so that help texts and listings are instant.
"""

from .dataset_spec import AUGMENTATIONS, NO_AUGMENTATION, DatasetSpec
from .feasibility import (
    best_probability,
    largest_angular_margin,
    largest_binary_margin,
    largest_cosine_margin,
    neighbour_angle,
    smallest_length_weight,
    smallest_useful_scale,
)
from .hyperparameter import (
    ANGULAR_MARGIN,
    CENTER_RATE,
    CLASS_COUNTS,
    COSINE_MARGIN,
    FIXED,
    SCALE,
    SOFT_START,
    SYMBOLS,
    ByShape,
    HyperParameter,
    Value,
    angular_margin_setting,
    margin_setting,
    scale_setting,
    setting,
    setting_text,
    soft_start_setting,
    symbol,
    value_text,
)
from .loss_spec import LossSpec, whole_size
from .variants import POOLED, FigureSpec, MetricSpec, NetworkSpec, OptimizerSpec, RecipeSpec, ScheduleSpec

__all__ = [
    "ANGULAR_MARGIN", "AUGMENTATIONS", "CENTER_RATE", "CLASS_COUNTS", "COSINE_MARGIN", "FIXED",
    "NO_AUGMENTATION", "POOLED", "SCALE", "SOFT_START", "SYMBOLS", "ByShape", "DatasetSpec", "FigureSpec",
    "HyperParameter", "LossSpec", "MetricSpec", "NetworkSpec", "OptimizerSpec", "RecipeSpec", "ScheduleSpec",
    "Value", "angular_margin_setting", "best_probability", "largest_angular_margin", "largest_binary_margin",
    "largest_cosine_margin", "margin_setting", "neighbour_angle", "scale_setting", "setting", "setting_text",
    "smallest_length_weight", "smallest_useful_scale", "soft_start_setting", "symbol", "value_text",
    "whole_size",
]  # fmt: skip
