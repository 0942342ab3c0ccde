"""Open-set AUROC by distance: the chance that a known sample is nearer to a class than an unknown one.

AUROC = P(d_known < d_unknown) + 1/2 P(=),  d the distance to the nearest training class mean

Euclidean, or between directions where the loss compares so.
"""

from ..records import MetricInput, declared
from ..specs import MetricSpec
from ._open_set import auroc, nearness

SPEC = MetricSpec(
    title="open-set AUROC (distance)",
    summary="chance that a test sample is nearer to a training class mean than one of an unseen class",
    needs="unknown",
    unit="fraction",
    higher_is_better=True,
    source="Hendrycks, Gimpel, ICLR 2017, arXiv 1610.02136 (AUROC of a score)",
    as_loss_compares=True,
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Fraction in [0, 1]."""
    known, unknown = inputs.evaluated, declared(inputs.unknown)
    return auroc(nearness(inputs, known.features), nearness(inputs, unknown.features))
