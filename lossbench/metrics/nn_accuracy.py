"""1-NN accuracy: each sample takes the class of the nearest training feature (Euclidean, exact).

prediction_i = y_k,  k = argmin_k ||x_i - x_k||

Of equally near training features the one with the smallest label counts.
"""

from ..records import MetricInput
from ..specs import MetricSpec
from ._neighbours import nearest_by_distance

SPEC = MetricSpec(
    title="1-NN accuracy",
    summary="fraction whose nearest training feature has the same class",
    needs="reference",
    unit="percent",
    higher_is_better=True,
    source="Cover, Hart, Nearest neighbor pattern classification, 1967",
)


def compute(inputs: MetricInput) -> float:
    """Fraction in [0, 1]."""
    return float((inputs.cached(nearest_by_distance)[:, 0] == inputs.evaluated.labels).mean())
