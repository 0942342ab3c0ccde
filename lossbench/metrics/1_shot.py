"""1-shot accuracy: classes known from 1 sample each, as classes that training did not know have to be.

accuracy = 1/100 sum_draws P(nearest mean of 1 drawn sample of each class is that of the own class)

Over the samples that are not drawn, by Euclidean distance, or by cosine where the loss compares so.
"""

from ..records import MetricInput
from ..specs import MetricSpec
from ._few_shot import few_shot_accuracies

SPEC = MetricSpec(
    title="1-shot accuracy",
    summary="fraction nearest to the mean of 1 sample of their class, mean of 100 seeded draws",
    unit="percent",
    higher_is_better=True,
    source="Snell et al., Prototypical Networks for Few-shot Learning, NeurIPS 2017",
    as_loss_compares=True,
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Fraction in [0, 1]; NaN where a class has no more than 1 sample."""
    return float(few_shot_accuracies(inputs, 1).mean())
