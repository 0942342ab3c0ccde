"""OSCR: the area under the share of known samples accepted and right over that of unknown ones accepted.

OSCR = integral of CCR over FPR, both at the same threshold of the largest class score
"""

import numpy as np

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._open_set import classification_curve

SPEC = MetricSpec(
    title="OSCR",
    summary="area under correct classification of test samples over acceptance of unseen classes",
    needs="unknown scores",
    unit="fraction",
    higher_is_better=True,
    source="Dhamija, Günther, Boult, Reducing Network Agnostophobia, NeurIPS 2018, arXiv 1811.04110",
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Fraction from 0 to the accuracy."""
    false, correct = inputs.cached(classification_curve)
    return float(np.diff(false) @ (correct[1:] + correct[:-1]) / 2)
