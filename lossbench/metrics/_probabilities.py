"""Class scores that are the logits of probabilities."""

from __future__ import annotations

import numpy as np


def probabilities(scores: np.ndarray) -> np.ndarray:
    """Softmax of scores (N, C) in float64: the probability of each class (N, C)."""
    from scipy.special import softmax

    return np.asarray(softmax(scores.astype(np.float64), axis=1))
