"""Recall at 1: the fraction of samples whose nearest other sample is of their class.

R@1 = 1/Q sum_i [class of the nearest to i = y_i]

Q queries, their neighbours and ties: see `_retrieval`.
"""

from ..records import MetricInput
from ..specs import MetricSpec
from ._retrieval import retrieve

SPEC = MetricSpec(
    title="recall at 1",
    summary="fraction whose nearest other sample has the same class",
    unit="fraction",
    higher_is_better=True,
    source="Jegou et al., Product Quantization for Nearest Neighbor Search, 2011",
    as_loss_compares=True,
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Fraction in [0, 1]; NaN when no class has two samples."""
    ranking = inputs.cached(retrieve)
    return ranking.mean_of(ranking.first)
