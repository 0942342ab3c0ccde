"""Known test samples against samples of classes that training never saw, by a score of being known."""

from __future__ import annotations

import numpy as np

from ..records import Embedding
from ._inputs import MetricInput, declared
from ._vectors import class_members, unit


def nearness(inputs: MetricInput, features: np.ndarray) -> np.ndarray:
    """Minus the distance (N,) of features (N, D) to the nearest training class mean, as the loss compares."""
    return -nearest_mean_distance(features, inputs.reference, cosine=inputs.cosine)


def nearest_mean_distance(features: np.ndarray, reference: Embedding, *, cosine: bool) -> np.ndarray:
    """The distance (N,) of features (N, D) to the nearest class mean of the training features.

    cosine: between directions instead of points, as a loss on angles compares.
    """
    from scipy.spatial.distance import cdist

    vectors, known = (
        unit(each.astype(np.float64)) if cosine else each.astype(np.float64)
        for each in (features, reference.features)
    )
    means = np.stack([known[index].mean(axis=0) for index in class_members(reference.labels)])
    return np.asarray(cdist(vectors, means).min(axis=1))


def largest_scores(inputs: MetricInput) -> tuple[np.ndarray, np.ndarray]:
    """The largest class score of each known sample (N,) and of each unknown one (M,)."""
    unknown = declared(declared(inputs.unknown).scores)
    return inputs.scores.max(axis=1), unknown.max(axis=1)


def auroc(known: np.ndarray, unknown: np.ndarray) -> float:
    """The chance that a known sample has the larger score, ties half."""
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([known, unknown]))[: len(known)]
    below = ranks.sum() - len(known) * (len(known) + 1) / 2
    return float(below / (len(known) * len(unknown)))


def classification_curve(inputs: MetricInput) -> tuple[np.ndarray, np.ndarray]:
    """FPR and CCR (T,) at falling thresholds of the largest score, both rising from 0.

    FPR: the share of unknown samples with at least that score; CCR: the share of known ones that have it
    and are classified right (Dhamija et al. 2018).
    """
    known, unknown = largest_scores(inputs)
    right = np.sort(known[inputs.evaluated.predictions == inputs.evaluated.labels])
    thresholds = np.unique(np.concatenate([known, unknown]))[::-1]
    false = len(unknown) - np.searchsorted(np.sort(unknown), thresholds, side="left")
    correct = len(right) - np.searchsorted(right, thresholds, side="left")
    return np.append(0, false) / len(unknown), np.append(0, correct) / len(known)
