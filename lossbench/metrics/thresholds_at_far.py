"""The verification threshold at a false accept rate (FAR) of at most 10^-n on the validation split.

threshold = max t with P(d- <= t) <= 10^-n  over all pairs of validation samples of two classes
range = max_j t_j - min_j t_j,  t_j from the pairs with one sample of class j and one of another

A distance, or where the loss compares so a cosine, which accepted pairs reach. Where the range is large, one
threshold for all does not suit every class.
"""

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._thresholds import ONE_IN, in_unit, thresholds

SPECS = {
    f"threshold-at-far-1e-{n}": MetricSpec(
        title=f"threshold at FAR=1e-{n}",
        summary=f"distance or cosine that accepts at most 1 in {10**n:,} validation pairs of two classes",
        needs="validation features",
        least=-1,
        as_loss_compares=True,
        cheap=False,
        arguments={"one_in": 10**n},
    )
    for n in (2, 3)
} | {
    f"threshold-range-1e-{n}": MetricSpec(
        title=f"threshold range at FAR=1e-{n}",
        summary="largest less smallest threshold of a class that accepts at most "
        f"1 in {10**n:,} of its pairs",
        needs="validation features",
        higher_is_better=False,
        as_loss_compares=True,
        cheap=False,
        arguments={"one_in": 10**n, "over_classes": True},
    )
    for n in (2, 3)
}


def compute(inputs: MetricInput, one_in: int, over_classes: bool = False) -> float:
    """A distance or a cosine, or the range of those of the classes; NaN without pairs of two classes."""
    squared, rate = inputs.cached(thresholds), ONE_IN.index(one_in)
    if not over_classes:
        return float(in_unit(squared.common, inputs.cosine)[rate])
    by_class = in_unit(squared.by_class, inputs.cosine)[:, rate]
    return float(by_class.max() - by_class.min())
