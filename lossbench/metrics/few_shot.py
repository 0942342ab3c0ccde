"""n-shot accuracy: classes known from n samples each, as classes that training did not know have to be.

accuracy = 1/100 sum_draws P(nearest mean of n drawn samples of each class is that of the own class)
half width = t_(0.975, 99) s / sqrt(100),  s the standard deviation of the accuracies of the draws

Over the samples that are not drawn, by Euclidean distance, or by cosine where the loss compares so.
"""

import numpy as np

from ..specs import MetricSpec
from ..statistics import mean_interval
from ._inputs import MetricInput
from ._vectors import class_members, compared, compared_vectors

SPECS = {
    f"{shots}-shot": MetricSpec(
        title=f"{shots}-shot accuracy",
        summary=f"fraction nearest to the mean of {samples} of their class, mean of 100 seeded draws",
        unit="percent",
        higher_is_better=True,
        source="Snell et al., Prototypical Networks for Few-shot Learning, NeurIPS 2017",
        as_loss_compares=True,
        cheap=False,
        arguments={"shots": shots},
    )
    for shots, samples in ((1, "1 sample"), (5, "5 samples"), (20, "20 samples"))
} | {
    f"{shots}-shot-half-width": MetricSpec(
        title=f"{shots}-shot half width",
        summary=f"half of the 95 % interval of the {shots}-shot accuracy over its draws",
        unit="percent",
        as_loss_compares=True,
        cheap=False,
        arguments={"shots": shots, "half_width": True},
    )
    for shots in (1, 5, 20)
}
_DRAWS = 100


def compute(inputs: MetricInput, shots: int, half_width: bool = False) -> float:
    """Fraction in [0, 1], or half the width of its interval; NaN where a class has no more than n samples."""
    accuracies = few_shot_accuracies(inputs, shots)
    return float(mean_interval(accuracies.tolist()).half_width if half_width else accuracies.mean())


def few_shot_accuracies(inputs: MetricInput, shots: int) -> np.ndarray:
    """The accuracies (100,) of seeded draws of `shots` samples of each class; NaN where a class has no more.

    Each other sample takes the class whose mean of drawn samples is nearest; under cosine the mean of
    directions, as a direction. The samples are sorted first, so that their order changes nothing.
    """
    from scipy.spatial.distance import cdist

    vectors, labels = compared_vectors(inputs), inputs.evaluated.labels
    order = np.lexsort((*vectors.T, labels))
    vectors, members = vectors[order], class_members(labels[order])
    if min(map(len, members)) <= shots or len(members) < 2:
        return np.full(_DRAWS, np.nan)
    true_classes = np.repeat(np.arange(len(members)), [len(each) for each in members])
    random, accuracies = np.random.default_rng(0), np.empty(_DRAWS)
    for draw in range(_DRAWS):
        drawn = np.stack([random.choice(each, shots, replace=False) for each in members])
        means = compared(vectors[drawn].mean(axis=1), inputs.cosine)
        others = np.delete(np.arange(len(vectors)), drawn.ravel())
        nearest = cdist(vectors[others], means, "sqeuclidean").argmin(axis=1)
        accuracies[draw] = (nearest == true_classes[others]).mean()
    return accuracies
