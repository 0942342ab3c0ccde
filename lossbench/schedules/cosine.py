"""Cosine: the rate rises linearly during the warm-up, then falls along half a cosine to zero."""

import math

from ..specs import ScheduleSpec
from ._warmup import rise

SPEC = ScheduleSpec(
    title="Cosine",
    summary="linear rise during the warm-up, then half a cosine to zero",
    source="Loshchilov and Hutter, ICLR 2017, arXiv 1608.03983, eq. 5, without restarts",
    warmup=0.2,
)


def factor(progress: float, *, warmup: float) -> float:
    """The factor at `progress` in [0, 1)."""
    fall = max(0.0, progress - warmup) / (1 - warmup)
    return min(rise(progress, warmup), (1 + math.cos(math.pi * fall)) / 2)
