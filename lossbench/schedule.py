"""The learning rate over a training, as a function of how much of it is done."""

from __future__ import annotations

WARM_UP = 0.2
"""Fraction of the steps during which the learning rate rises."""


def learning_rate(progress: float, peak: float) -> float:
    """The rate at `progress` in [0, 1): a linear rise to `peak` during WARM_UP, then linear to zero."""
    rise = (progress + 1e-3) / WARM_UP
    return peak * min(rise, (1 - progress) / (1 - WARM_UP))
