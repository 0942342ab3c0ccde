"""The metrics, one per file: `compute(Measured)` gives a float. Private files hold what several need."""

from ._measure import measure
from ._vectors import angles, unit
from ._verification import Roc, roc

__all__ = ["Roc", "angles", "measure", "roc", "unit"]
