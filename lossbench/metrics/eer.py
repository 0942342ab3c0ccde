"""Equal error rate: the error where as many pairs of two classes pass as pairs of one class fail.

EER = FAR = 1 - TAR on the ROC curve, whose points at successive distances are joined by straight lines

Over all pairs i < j of the split, by Euclidean distance, or by cosine where the loss compares so.
"""

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._verification import roc

SPEC = MetricSpec(
    title="equal error rate",
    summary="error of telling pairs apart at the threshold where both kinds of error are equal",
    unit="fraction",
    higher_is_better=False,
    source="Martin et al., The DET Curve in Assessment of Detection Task Performance, Eurospeech 1997",
    as_loss_compares=True,
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Fraction in [0, 1]; NaN without pairs of both kinds."""
    curve = inputs.cached(roc)
    if not curve.defined:
        return float("nan")
    positives, negatives = curve.positives, curve.negatives
    # FAR - (1 - TAR), times both counts, after each distance: it rises, and is not below 0 after the last
    excess = curve.upto * positives + (curve.own - positives) * negatives
    at = int((excess < 0).sum())
    own_before = int(curve.own[at - 1]) if at else 0
    false_before, false_after = int(curve.below[at]), int(curve.upto[at])
    before = false_before * positives + (own_before - positives) * negatives
    if before >= 0:  # reached between two distances within classes, where only FAR rises
        return 1 - own_before / positives
    part = -before / (int(excess[at]) - before)
    return (false_before + part * (false_after - false_before)) / negatives
