"""The metrics, one per file: `compute(MetricInput)` gives a float. Private files hold what several need."""

from ._measure import measure
from ._probabilities import probabilities
from ._vectors import angles, class_means, unit
from ._verification import Roc, roc

__all__ = ["Roc", "angles", "class_means", "measure", "probabilities", "roc", "unit"]
