"""Mean average precision at R: R-precision in which early places count more.

MAP@R = 1/Q sum_i  1/R_i sum_(k <= R_i) P_i(k) [the k-th nearest to i is of class y_i]

P_i(k) is the fraction of class y_i among the first k, and R_i the number of others of that class.
Q queries, their neighbours and ties: see `_retrieval`.
"""

from ..records import MetricInput
from ..specs import MetricSpec
from ._retrieval import retrieve

SPEC = MetricSpec(
    title="MAP@R",
    summary="mean average precision of the R nearest, R being the others of the class",
    unit="fraction",
    higher_is_better=True,
    source="Musgrave, Belongie, Lim, A Metric Learning Reality Check, ECCV 2020, arXiv 2003.08505",
    as_loss_compares=True,
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Fraction in [0, 1]; NaN when no class has two samples."""
    ranking = inputs.cached(retrieve)
    return ranking.mean_of(ranking.average_precision)
