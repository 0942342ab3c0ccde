"""Recall at 1: the fraction of samples whose nearest other sample is of their class.

R@1 = 1/Q sum_i [class of the first found by i = y_i]

Every sample asks among all others of the split, by Euclidean distance, or by cosine where the loss
compares so. Of equally near samples those of other classes come first. A sample that is the only one of
its class asks for nothing, so Q may be less than N.
"""

from __future__ import annotations

from ..records import Measured
from ..specs import MetricSpec
from ._retrieval import retrieve

SPEC = MetricSpec(
    title="recall at 1",
    summary="fraction whose nearest other sample has the same class",
    unit="fraction",
    higher_is_better=True,
    source="Jegou et al., Product Quantization for Nearest Neighbor Search, 2011",
    cheap=False,
)


def compute(measured: Measured) -> float:
    """Fraction in [0, 1]; NaN when no class has two samples."""
    found = measured.once(retrieve)
    return found.mean_of(found.first)
