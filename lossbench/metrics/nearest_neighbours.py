"""k-NN accuracy: each sample takes the most frequent class of the k nearest training features, k = 1 or 5.

prediction_i = argmax_j #{n among the k smallest ||x_i - x_n|| : y_n = j}  (exact; or the k largest cosines)

Of equally near training features, and of equally frequent classes, the smallest label counts. Fewer than k
training features all vote.
"""

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._neighbours import majority, nearest_by_angle, nearest_by_distance

SPECS = {
    f"{name}-accuracy{'-cosine' * cosine}": MetricSpec(
        title=f"{k}-NN accuracy{', cosine' * cosine}",
        summary=f"fraction whose {nearest}{' by cosine' * cosine} {same}",
        needs="reference",
        unit="percent",
        higher_is_better=True,
        source="Cover, Hart, Nearest neighbor pattern classification, 1967",
        arguments={"k": k, "cosine": cosine},
    )
    for name, k, nearest, same in (
        ("nn", 1, "nearest training feature", "has the same class"),
        ("knn5", 5, "five nearest training features", "are mostly of the same class"),
    )
    for cosine in (False, True)
}


def compute(inputs: MetricInput, k: int, cosine: bool) -> float:
    """Fraction in [0, 1]."""
    labels = inputs.cached(nearest_by_angle if cosine else nearest_by_distance)
    return float((majority(labels[:, :k]) == inputs.evaluated.labels).mean())
