"""The verification threshold at a false accept rate of at most 10^-3 on the validation split.

t = max t with P(d- <= t) <= 10^-3  over all pairs of validation samples of two classes

A distance, or where the loss compares so a cosine, which accepted pairs reach.
"""

from ..records import MetricInput
from ..specs import MetricSpec
from ._thresholds import in_unit, thresholds

SPEC = MetricSpec(
    title="threshold at FAR=1e-3",
    summary="distance or cosine that accepts at most 1 in 1,000 validation pairs of two classes",
    needs="validation features",
    as_loss_compares=True,
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """A distance, or a cosine; NaN without pairs of two classes."""
    return float(in_unit(inputs.cached(thresholds).common, inputs.cosine)[1])
