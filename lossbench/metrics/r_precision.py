"""R-precision: of the R nearest other samples, the fraction of the query's class.

RP = 1/Q sum_i  r_i / R_i,  r_i how many of the first R_i are of class y_i, of which there are R_i

Q queries, their neighbours and ties: see `_retrieval`.
"""

from ..records import MetricInput
from ..specs import MetricSpec
from ._retrieval import retrieve

SPEC = MetricSpec(
    title="R-precision",
    summary="fraction of the same class among the R nearest, R being how many there are",
    unit="fraction",
    higher_is_better=True,
    source="Musgrave, Belongie, Lim, A Metric Learning Reality Check, ECCV 2020, arXiv 2003.08505",
    as_loss_compares=True,
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Fraction in [0, 1]; NaN when no class has two samples."""
    ranking = inputs.cached(retrieve)
    return ranking.mean_of(ranking.r_precision)
