"""1-NN accuracy: each sample takes the class of the nearest training feature (Euclidean, exact)."""

from __future__ import annotations

from ..contracts import MetricSpec
from ..records import Measured

SPEC = MetricSpec(
    title="1-NN accuracy",
    summary="fraction whose nearest training feature has the same class",
    higher_is_better=True,
    source="Cover, Hart, Nearest neighbor pattern classification, 1967",
)


def compute(measured: Measured) -> float:
    """Fraction in [0, 1]; of equally near training features the tree's first counts."""
    from sklearn.neighbors import KNeighborsClassifier

    model = KNeighborsClassifier(n_neighbors=1)
    model.fit(measured.reference.features, measured.reference.labels)
    return float((model.predict(measured.tested.features) == measured.tested.labels).mean())
