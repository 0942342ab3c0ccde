"""True accept rate (TAR) at a false accept rate (FAR) of at most 10^-n.

TAR = max over thresholds t of P(d+ <= t)  where  P(d- <= t) <= 10^-n

Over all pairs i < j of the split, by Euclidean distance, or by cosine where the loss compares so.
"""

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._verification import roc

SPECS = {
    f"tar-at-far-1e-{n}": MetricSpec(
        title=f"TAR@FAR=1e-{n}",
        summary=f"fraction of the pairs of one class accepted when at most 1 in {10**n:,} of the others is",
        unit="fraction",
        higher_is_better=True,
        source="Klare et al., Pushing the Frontiers of Unconstrained Face Detection and Recognition, "
        "CVPR 2015",
        as_loss_compares=True,
        cheap=False,
        arguments={"one_in": 10**n},
    )
    for n in (2, 3, 4)
}


def compute(inputs: MetricInput, one_in: int) -> float:
    """Fraction in [0, 1]; NaN without pairs of both kinds."""
    curve = inputs.cached(roc)
    if not curve.defined:
        return float("nan")
    return float(curve.true_accept_rates(curve.negatives // one_in))  # whole pairs: no rounding decides
