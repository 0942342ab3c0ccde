"""How far apart the thresholds of the classes are, each for a false accept rate of 10^-3.

max_j t_j - min_j t_j,  t_j from the validation pairs with one sample of class j and one of another

Where it is large, one threshold for all does not suit every class.
"""

from ..records import MetricInput
from ..specs import MetricSpec
from ._thresholds import in_unit, thresholds

SPEC = MetricSpec(
    title="threshold range at FAR=1e-3",
    summary="largest less smallest threshold of a class that accepts at most 1 in 1,000 of its pairs",
    needs="validation features",
    higher_is_better=False,
    as_loss_compares=True,
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """A distance, or a difference of cosines; NaN without pairs of two classes."""
    found = in_unit(inputs.cached(thresholds).by_class, inputs.cosine)[:, 1]
    return float(found.max() - found.min())
