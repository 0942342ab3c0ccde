"""NormFace: cross-entropy of s times the cosine between feature and class direction.

    L = CE(f, y),  f_j = s cos(theta_j)                            (Wang et al. 2017, eq. 6)

Both sides have length one, so only angles count and the scale s says how sharply. With s = 1 the loss of ten
classes cannot fall below 1.377 (Proposition 2). In the plane: ten rays at even angles.

Departures from the paper: s is fixed by default, where the paper prefers a learned one; `learnable` learns
log(s), which keeps s positive (the authors clip s at 0.01), and starts from `scale` (theirs: 10). The
default scale grows with D. `soft_start` is ours. pytorch-metric-learning's
NormalizedSoftmaxLoss is the same with temperature 1/s.
"""

import math

import torch
from torch import Tensor, nn

from ..specs import FIXED, SOFT_START, LossSpec, scale_setting, setting
from ._cosine import CosineLoss


class NormFace(CosineLoss):
    """NormFace with class directions `weight` (C, D) and, if learnable, the parameter `log_scale` ()."""

    SPEC = LossSpec(
        title="NormFace",
        summary="Softmax of scaled cosines: rays at even angles.",
        paper="Wang et al., NormFace: L2 Hypersphere Embedding, ACM MM 2017, arXiv 1704.06369, eq. 6",
        equation="L = CE(f, y),  f_j = s cos(theta_j)",
        kind="classifier",
        angular=True,
    )
    scale: float = scale_setting(
        lambda _, dim: max(16.0, min(30.0, 4.0 * dim)),
        "length s given to the features (learnable: its start)",
        sweep="4:64:log:5",
        paper="learned, from 10; fixed: 20 to 30",
    )
    learnable: bool = setting(False, "learn the scale (as log s)", paper="true")
    soft_start: float = SOFT_START
    fixed: bool = FIXED

    def __post_init__(self) -> None:
        super().__post_init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(self.scale))) if self.learnable else None

    def current_scale(self) -> float | Tensor:
        """The scale s: fixed, or as learned so far ()."""
        return self.scale if self.log_scale is None else self.log_scale.exp()
