"""Mean average precision at R: R-precision in which early places count more.

MAP@R = 1/Q sum_i  1/R_i sum_(k <= R_i) P_i(k) [the k-th found by i is of class y_i]

P_i(k) is the fraction of class y_i among the first k, and R_i the number of others of that class.
Every sample asks among all others of the split, by Euclidean distance, or by cosine where the loss
compares so. Of equally near samples those of other classes come first. A sample that is the only one of
its class asks for nothing, so Q may be less than N.
"""

from __future__ import annotations

from ..records import Measured
from ..specs import MetricSpec
from ._retrieval import retrieve

SPEC = MetricSpec(
    title="MAP@R",
    summary="mean average precision of the R nearest, R being the others of the class",
    unit="fraction",
    higher_is_better=True,
    source="Musgrave, Belongie, Lim, A Metric Learning Reality Check, ECCV 2020, arXiv 2003.08505",
    cheap=False,
)


def compute(measured: Measured) -> float:
    """Fraction in [0, 1]; NaN when no class has two samples."""
    found = measured.once(retrieve)
    return found.mean_of(found.average_precision)
