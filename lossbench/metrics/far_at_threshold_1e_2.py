"""False accept rate at the threshold chosen on the validation split for one of 10^-2.

FAR = P(d- <= t)  over all pairs of two classes,  t from `threshold-at-far-1e-2`

A rate far from 10^-2 says that the threshold does not carry over, for example to unseen classes.
"""

from ..records import MetricInput
from ..specs import MetricSpec
from ._thresholds import decisions

SPEC = MetricSpec(
    title="FAR at threshold of FAR=1e-2",
    summary="fraction of the pairs of two classes accepted at the threshold of `threshold-at-far-1e-2`",
    needs="validation features",
    unit="fraction",
    higher_is_better=False,
    as_loss_compares=True,
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Fraction in [0, 1]; NaN without pairs."""
    return float(inputs.cached(decisions).false_accepts[0])
