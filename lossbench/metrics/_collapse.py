"""How variance and class means are arranged, for the measures of neural collapse."""

from __future__ import annotations

import numpy as np

from ._inputs import MetricInput
from ._vectors import class_members, class_statistics, feature_vectors


def centered_means(inputs: MetricInput) -> np.ndarray:
    """The class means minus their mean (C, D)."""
    means = inputs.cached(class_statistics).means
    return np.asarray(means - means.mean(axis=0))


def within_covariance(inputs: MetricInput) -> np.ndarray:
    """The covariance around the class means (D, D), averaged over classes."""
    vectors, means = inputs.cached(feature_vectors), inputs.cached(class_statistics).means
    members = class_members(inputs.evaluated.labels)
    deviations = [vectors[index] - mean for index, mean in zip(members, means, strict=True)]
    return np.asarray(np.mean([d.T @ d / len(d) for d in deviations], axis=0))


def has_classes(inputs: MetricInput) -> bool:
    """Whether there are two class means at least, and not all in one place."""
    return bool(len(inputs.cached(class_statistics).counts) > 1 and np.any(centered_means(inputs)))
