"""True and false accept rate at the threshold chosen on the validation split for a FAR of 10^-n.

TAR = P(d+ <= t)  over all pairs of one class,  FAR = P(d- <= t)  over all pairs of two classes
t from `threshold-at-far-1e-n`

A FAR far from 10^-n says that the threshold does not carry over, for example to unseen classes.
"""

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._thresholds import ONE_IN, decisions

SPECS = {
    f"{rate}-at-threshold-1e-{n}": MetricSpec(
        title=f"{rate.upper()} at threshold of FAR=1e-{n}",
        summary=f"fraction of the pairs of {classes} accepted at the threshold of `threshold-at-far-1e-{n}`",
        needs="validation features",
        unit="fraction",
        higher_is_better=rate == "tar",
        as_loss_compares=True,
        cheap=False,
        arguments={"of_one_class": rate == "tar", "one_in": 10**n},
    )
    for rate, classes in (("tar", "one class"), ("far", "two classes"))
    for n in (2, 3)
}


def compute(inputs: MetricInput, of_one_class: bool, one_in: int) -> float:
    """Fraction in [0, 1]; NaN without pairs."""
    accepted = inputs.cached(decisions)
    rates = accepted.true_accepts if of_one_class else accepted.false_accepts
    return float(rates[ONE_IN.index(one_in)])
