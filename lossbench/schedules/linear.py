"""Linear: the rate rises linearly during the warm-up, then falls linearly to zero."""

from ..specs import ScheduleSpec
from ._warmup import rise

SPEC = ScheduleSpec(
    title="Linear",
    summary="linear rise during the warm-up, then linear fall to zero",
    source="slanted triangular learning rates, Howard and Ruder, ACL 2018, arXiv 1801.06146",
    warmup=0.2,
)


def factor(progress: float, *, warmup: float) -> float:
    """The factor at `progress` in [0, 1)."""
    return min(rise(progress, warmup), (1 - progress) / (1 - warmup))
