"""Confidence intervals, paired and equivalence tests over seeds, and ranks over data sets."""

from .equivalence import Equivalence, equivalence_test
from .intervals import Interval, mean_interval
from .paired import PairedDifference, Verdict, compare_paired, holm, max_t, seeds_needed
from .ranks import indistinguishable_groups, mean_ranks

__all__ = [
    "Equivalence", "Interval", "PairedDifference", "Verdict", "compare_paired", "equivalence_test", "holm",
    "indistinguishable_groups", "max_t", "mean_interval", "mean_ranks", "seeds_needed",
]  # fmt: skip
