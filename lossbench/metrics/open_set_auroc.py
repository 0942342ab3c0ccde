"""Open-set AUROC: the chance that a known sample has the larger score of being known than an unknown one.

AUROC = P(f(known) > f(unknown)) + 1/2 P(=)

f is minus the distance to the nearest training class mean, Euclidean, or between directions where the loss
compares so; or the largest class score.
"""

from ..specs import MetricSpec
from ._inputs import MetricInput, declared
from ._open_set import auroc, largest_scores, nearness

SPECS = {
    "open-set-auroc": MetricSpec(
        title="open-set AUROC (distance)",
        summary="chance that a test sample is nearer to a training class mean than one of an unseen class",
        needs="unknown",
        unit="fraction",
        higher_is_better=True,
        source="Hendrycks, Gimpel, ICLR 2017, arXiv 1610.02136 (AUROC of a score)",
        as_loss_compares=True,
        cheap=False,
        arguments={"by_logit": False},
    ),
    "open-set-auroc-logit": MetricSpec(
        title="open-set AUROC (logit)",
        summary="chance that the largest class score of a test sample exceeds that of one of an unseen class",
        needs="unknown scores",
        unit="fraction",
        higher_is_better=True,
        source="Vaze et al., Open-Set Recognition: a Good Closed-Set Classifier Is All You Need?, ICLR 2022, "
        "arXiv 2110.06207 (maximum logit score)",
        cheap=False,
        arguments={"by_logit": True},
    ),
}


def compute(inputs: MetricInput, by_logit: bool) -> float:
    """Fraction in [0, 1]."""
    if by_logit:
        return auroc(*largest_scores(inputs))
    known, unknown = inputs.evaluated, declared(inputs.unknown)
    return auroc(nearness(inputs, known.features), nearness(inputs, unknown.features))
