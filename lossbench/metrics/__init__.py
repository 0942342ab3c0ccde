"""The metrics, one or a family per file: `compute(MetricInput)` gives a float. `_*.py` hold shared parts."""

from ._inputs import MetricInput, OnImages
from ._measure import measure
from ._open_set import nearest_mean_distance
from ._probabilities import probabilities
from ._thresholds import ONE_IN, decisions, in_unit, thresholds, true_accept_interval
from ._vectors import angles, class_means, unit
from ._verification import Roc, roc

__all__ = [
    "ONE_IN", "MetricInput", "OnImages", "Roc", "angles", "class_means", "decisions", "in_unit", "measure",
    "nearest_mean_distance", "probabilities", "roc", "thresholds", "true_accept_interval", "unit",
]  # fmt: skip
