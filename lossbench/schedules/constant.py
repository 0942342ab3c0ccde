"""Constant: the peak rate throughout, after the warm-up if there is one."""

from ..specs import ScheduleSpec
from ._warmup import rise

SPEC = ScheduleSpec(title="Constant", summary="the same rate in every step after the warm-up")


def factor(progress: float, *, warmup: float) -> float:
    """The factor at `progress` in [0, 1)."""
    return min(rise(progress, warmup), 1.0)
