"""Half of the 95 % interval of the 1-shot accuracy, over its 100 draws.

t_(0.975, 99) s / sqrt(100),  s the standard deviation of the accuracies of the draws
"""

from ..records import MetricInput
from ..specs import MetricSpec
from ._few_shot import few_shot_accuracies, half_width

SPEC = MetricSpec(
    title="1-shot half width",
    summary="half of the 95 % interval of the 1-shot accuracy over its draws",
    unit="percent",
    as_loss_compares=True,
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """A fraction; NaN where a class has no more than 1 sample."""
    return half_width(few_shot_accuracies(inputs, 1))
