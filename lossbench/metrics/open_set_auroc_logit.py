"""Open-set AUROC by the largest class score: the chance that it is larger for a known sample.

AUROC = P(max_j f_j of a known sample > that of an unknown one) + 1/2 P(=)
"""

from ..records import MetricInput
from ..specs import MetricSpec
from ._open_set import auroc, largest_scores

SPEC = MetricSpec(
    title="open-set AUROC (logit)",
    summary="chance that the largest class score of a test sample exceeds that of one of an unseen class",
    needs="unknown scores",
    unit="fraction",
    higher_is_better=True,
    source="Vaze et al., Open-Set Recognition: a Good Closed-Set Classifier Is All You Need?, ICLR 2022, "
    "arXiv 2110.06207 (maximum logit score)",
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Fraction in [0, 1]."""
    return auroc(*largest_scores(inputs))
