"""True accept rate at a false accept rate of at most 10^-3.

TAR = max over thresholds t of P(d+ <= t)  where  P(d- <= t) <= 10^-3

Over all pairs i < j of the split, by Euclidean distance, or by cosine where the loss compares so.
"""

from ..records import MetricInput
from ..specs import MetricSpec
from ._verification import true_accepts

SPEC = MetricSpec(
    title="TAR@FAR=1e-3",
    summary="fraction of the pairs of one class accepted when at most 1 in 1,000 of the others is",
    unit="fraction",
    higher_is_better=True,
    source="Klare et al., Pushing the Frontiers of Unconstrained Face Detection and Recognition, CVPR 2015",
    as_loss_compares=True,
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Fraction in [0, 1]; NaN without pairs of both kinds."""
    return true_accepts(inputs, one_in=1000)
