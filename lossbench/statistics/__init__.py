"""Confidence intervals, paired tests over seeds, and ranks over data sets."""

from .intervals import Interval, mean_interval, paired_interval
from .paired import (
    PairedComparison,
    SignFlip,
    Verdict,
    compare_paired,
    holm,
    probability_of_outperforming,
    seeds_needed,
    sign_flip_test,
)
from .ranks import friedman_p, indistinguishable_groups, mean_ranks

__all__ = [
    "Interval",
    "PairedComparison",
    "SignFlip",
    "Verdict",
    "compare_paired",
    "friedman_p",
    "holm",
    "indistinguishable_groups",
    "mean_interval",
    "mean_ranks",
    "paired_interval",
    "probability_of_outperforming",
    "seeds_needed",
    "sign_flip_test",
]
