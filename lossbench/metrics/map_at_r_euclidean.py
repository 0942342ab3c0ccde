"""Mean average precision at R by Euclidean distance, whatever the loss compares by; see `map_at_r`."""

from ..records import MetricInput
from ..specs import MetricSpec
from ._retrieval import retrieve_by_distance

SPEC = MetricSpec(
    title="MAP@R (Euclidean)",
    summary="MAP@R of neighbours by Euclidean distance, for every loss alike",
    unit="fraction",
    higher_is_better=True,
    source="Musgrave, Belongie, Lim, A Metric Learning Reality Check, ECCV 2020, arXiv 2003.08505",
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Fraction in [0, 1]; NaN when no class has two samples."""
    ranking = inputs.cached(retrieve_by_distance)
    return ranking.mean_of(ranking.average_precision)
