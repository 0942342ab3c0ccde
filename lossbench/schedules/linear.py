"""Linear: the rate rises linearly during the first fifth of training, then falls linearly to zero."""

from __future__ import annotations

from ..specs import ScheduleSpec

SPEC = ScheduleSpec(
    title="Linear",
    summary="linear rise during the first 20 % of the steps, then linear fall to zero",
    source="slanted triangular learning rates, Howard and Ruder, ACL 2018, arXiv 1801.06146",
)
WARM_UP = 0.2
"""Fraction of the steps during which the rate rises."""


def factor(progress: float) -> float:
    """The factor at `progress` in [0, 1); not zero in the first step."""
    rise = (progress + 1e-3) / WARM_UP
    return min(rise, (1 - progress) / (1 - WARM_UP))
