"""Class scores that are the logits of probabilities."""

from __future__ import annotations

import numpy as np

from ..records import Embedding


def probabilities(scores: np.ndarray) -> np.ndarray:
    """Softmax of scores (N, C) in float64: the probability of each class (N, C)."""
    from scipy.special import softmax

    return np.asarray(softmax(scores.astype(np.float64), axis=1))


_BINS = 15


def calibration_error(probabilities: np.ndarray, split: Embedding) -> float:
    """The expected calibration error of probabilities (N, C) over 15 bins of confidence, see `ece`."""
    confidence = probabilities.max(axis=1)
    edges = np.linspace(0, 1, _BINS + 1)[1:-1]
    excess = (split.predictions == split.labels) - confidence
    sums = np.bincount(np.digitize(confidence, edges, right=True), weights=excess)
    return float(np.abs(sums).sum() / len(confidence))
