"""Retrieval of the other samples of a query's class, from the nearest on.

R@1 = 1/Q sum_i [class of the nearest to i = y_i]
RP = 1/Q sum_i  r_i / R_i,  r_i how many of the first R_i are of class y_i, of which there are R_i
MAP@R = 1/Q sum_i  1/R_i sum_(k <= R_i) P_i(k) [the k-th nearest to i is of class y_i]

P_i(k) is the fraction of class y_i among the first k: in MAP@R early places count more than in R-precision.
Q queries, their neighbours and ties: see `_retrieval`.
"""

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._retrieval import retrieve, retrieve_by_angle, retrieve_by_distance

SPECS = {
    "recall-at-1": MetricSpec(
        title="recall at 1",
        summary="fraction whose nearest other sample has the same class",
        unit="fraction",
        higher_is_better=True,
        source="Jegou et al., Product Quantization for Nearest Neighbor Search, 2011",
        as_loss_compares=True,
        cheap=False,
        arguments={"measure": "first"},
    )
} | {
    name: MetricSpec(
        title=title,
        summary=summary,
        unit="fraction",
        higher_is_better=True,
        source="Musgrave, Belongie, Lim, A Metric Learning Reality Check, ECCV 2020, arXiv 2003.08505",
        as_loss_compares=compare == "as the loss",
        cheap=False,
        arguments={"measure": measure, "compare": compare},
    )
    for name, measure, compare, title, summary in (
        (
            "r-precision",
            "r_precision",
            "as the loss",
            "R-precision",
            "fraction of the same class among the R nearest, R being how many there are",
        ),
        (
            "map-at-r",
            "average_precision",
            "as the loss",
            "MAP@R",
            "mean average precision of the R nearest, R being the others of the class",
        ),
        (
            "map-at-r-cosine",
            "average_precision",
            "by cosine",
            "MAP@R (cosine)",
            "MAP@R of neighbours by cosine, for every loss alike",
        ),
        (
            "map-at-r-euclidean",
            "average_precision",
            "by distance",
            "MAP@R (Euclidean)",
            "MAP@R of neighbours by Euclidean distance, for every loss alike",
        ),
    )
}
_RETRIEVE = {"as the loss": retrieve, "by cosine": retrieve_by_angle, "by distance": retrieve_by_distance}


def compute(inputs: MetricInput, measure: str, compare: str = "as the loss") -> float:
    """Fraction in [0, 1]; NaN when no class has two samples."""
    ranking = inputs.cached(_RETRIEVE[compare])
    return ranking.mean_of(getattr(ranking, measure))
