"""Confidence intervals, paired tests over seeds, and ranks over data sets."""

from .intervals import Interval, mean_interval
from .paired import PairedDifference, Verdict, compare_paired, holm, seeds_needed
from .ranks import indistinguishable_groups, mean_ranks

__all__ = [
    "Interval",
    "PairedDifference",
    "Verdict",
    "compare_paired",
    "holm",
    "indistinguishable_groups",
    "mean_interval",
    "mean_ranks",
    "seeds_needed",
]
