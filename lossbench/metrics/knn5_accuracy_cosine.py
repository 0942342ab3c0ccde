"""5-NN accuracy: each sample takes the most frequent class of the five nearest training features.

prediction_i = argmax_j #{k among the five largest cos(x_i, x_k) : y_k = j}  (cosine, exact)

Of equally frequent classes the smallest label counts. Fewer than five training features all vote.
"""

from ..records import MetricInput
from ..specs import MetricSpec
from ._neighbours import majority, nearest_by_angle

SPEC = MetricSpec(
    title="5-NN accuracy, cosine",
    summary="fraction whose five nearest training features by cosine are mostly of the same class",
    needs="reference",
    unit="percent",
    higher_is_better=True,
    source="Cover, Hart, Nearest neighbor pattern classification, 1967",
)


def compute(inputs: MetricInput) -> float:
    """Fraction in [0, 1]."""
    return float((majority(inputs.cached(nearest_by_angle)) == inputs.evaluated.labels).mean())
