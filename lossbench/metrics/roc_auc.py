"""Area under the ROC curve: the chance that a pair of one class is nearer than one of two classes.

AUC = P(d+ < d-) + 1/2 P(d+ = d-)

Over all pairs i < j of the split, by Euclidean distance, or by cosine where the loss compares so.
"""

import numpy as np

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._verification import roc

SPEC = MetricSpec(
    title="ROC AUC",
    summary="chance that a pair of one class is nearer than a pair of two classes",
    unit="fraction",
    higher_is_better=True,
    source="Hanley, McNeil, The meaning and use of the area under a ROC curve, 1982",
    as_loss_compares=True,
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Fraction in [0, 1]; NaN without pairs of both kinds."""
    curve = inputs.cached(roc)
    if not curve.defined:
        return float("nan")
    same = np.diff(curve.own, prepend=0)
    wrong_twice = int(same @ (curve.below + curve.upto))  # a whole number: 50 million pairs lose nothing
    return 1 - wrong_twice / (2 * curve.positives * curve.negatives)
