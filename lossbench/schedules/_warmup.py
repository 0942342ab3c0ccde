"""The rise with which a schedule begins."""

import math


def rise(progress: float, warmup: float) -> float:
    """The fraction of the peak rate at `progress`: 1 and more after the warm-up, never 0."""
    return (progress + 1e-3) / warmup if warmup else math.inf
