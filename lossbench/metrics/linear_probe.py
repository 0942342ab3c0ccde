"""Linear probe: how well a linear classifier tells classes apart by features that were not trained for them.

min_{W, b} 1/2 ||W||^2 - sum_i log p_{y_i}(z_i),  p(z) = softmax(W z + b)

z is a feature minus the mean of those that it is fitted to, over their deviation. Of the samples of a split,
as of classes kept out of training, a seeded half of each class is fitted and the other half classified. Of
another data set the first 5,000 training images are fitted and the first 5,000 test images classified.
"""

import numpy as np

from ..specs import MetricSpec
from ._inputs import MetricInput, declared
from ._vectors import class_members

SPECS = {
    f"linear-probe-{dataset}" if dataset else "linear-probe": MetricSpec(
        title=f"linear probe of {title}" if dataset else "linear probe",
        summary=f"fraction of test images of {title} right by a linear classifier of features"
        if dataset
        else "fraction right by a linear classifier fitted to the features of the other half of the samples",
        needs="images" if dataset else "features",
        unit="percent",
        higher_is_better=True,
        source="Kornblith et al., Why Do Better Loss Functions Lead to Less Transferable Features?, NeurIPS "
        "2021, arXiv 2010.16402",
        cheap=False,
        arguments={"dataset": dataset},
    )
    for dataset, title in (
        ("", ""),
        ("digits", "Digits"),
        ("fashion-mnist", "Fashion-MNIST"),
        ("kmnist", "KMNIST"),
    )
}
_IMAGES = 5000


def compute(inputs: MetricInput, dataset: str) -> float:
    """Fraction in [0, 1]; NaN for one class alone, or where a class has a single sample."""
    if dataset:
        train, test = declared(inputs.on_images).features_of(dataset, _IMAGES)
        return _accuracy(*train, *test)
    features, labels = inputs.evaluated.features, inputs.evaluated.labels
    order = np.lexsort((*features.T, labels))  # so that the order of the samples changes nothing
    features, labels = features[order], labels[order]
    members = class_members(labels)
    if len(members) < 2 or min(map(len, members)) < 2:
        return float("nan")
    random = np.random.default_rng(0)
    fitted = np.zeros(len(labels), dtype=bool)
    for each in members:
        fitted[random.choice(each, len(each) // 2, replace=False)] = True
    return _accuracy(features[fitted], labels[fitted], features[~fitted], labels[~fitted])


def _accuracy(
    features: np.ndarray, labels: np.ndarray, test_features: np.ndarray, test_labels: np.ndarray
) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=10_000))
    return float(
        probe.fit(features.astype(np.float64), labels).score(test_features.astype(np.float64), test_labels)
    )
