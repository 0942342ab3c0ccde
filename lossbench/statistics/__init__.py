"""Confidence intervals, paired and equivalence tests over seeds, and ranks over data sets."""

from .equivalence import Equivalence, equivalence_test
from .intervals import Interval, mean_interval
from .paired import PairedDifference, Verdict, compare_paired, holm, seeds_needed
from .ranks import indistinguishable_groups, mean_ranks

__all__ = [
    "Equivalence",
    "Interval",
    "PairedDifference",
    "Verdict",
    "compare_paired",
    "equivalence_test",
    "holm",
    "indistinguishable_groups",
    "mean_interval",
    "mean_ranks",
    "seeds_needed",
]
