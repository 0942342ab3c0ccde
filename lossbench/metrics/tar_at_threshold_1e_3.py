"""True accept rate at the threshold chosen on the validation split for a false accept rate of 10^-3.

TAR = P(d+ <= t)  over all pairs of one class,  t from `threshold-at-far-1e-3`
"""

from ..records import MetricInput
from ..specs import MetricSpec
from ._thresholds import decisions

SPEC = MetricSpec(
    title="TAR at threshold of FAR=1e-3",
    summary="fraction of the pairs of one class accepted at the threshold of `threshold-at-far-1e-3`",
    needs="validation features",
    unit="fraction",
    higher_is_better=True,
    as_loss_compares=True,
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Fraction in [0, 1]; NaN without pairs."""
    return float(inputs.cached(decisions).true_accepts[1])
