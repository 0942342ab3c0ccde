"""Step: the rate is multiplied by `decay` at each milestone, as most papers on losses do."""

from collections.abc import Sequence

from ..specs import ScheduleSpec
from ._warmup import rise

SPEC = ScheduleSpec(
    title="Step",
    summary="the rate is multiplied by the decay at each milestone",
    source="Caffe's `multistep` policy, torch's MultiStepLR",
    milestones="0.5,0.75",
    decay=0.1,
)


def factor(progress: float, *, warmup: float, milestones: Sequence[float], decay: float) -> float:
    """The factor at `progress` in [0, 1); a milestone is the fraction of the steps before its decay."""
    passed = sum(progress >= milestone for milestone in milestones)
    return min(rise(progress, warmup), 1.0) * decay**passed
