"""ArcFace: an additive margin on the angle to the own class direction.

    L = CE(f, y),  f_j = s cos(theta_j) for j != y,  f_y = s cos(theta_y + m)     (Deng et al. 2019, eq. 3)

`monotone` (default) is the authors' released code: where theta + m passes pi the target is s (cos(theta) -
m sin(m)), so that a larger angle never scores better; off, it is the equation alone. `easy_margin` gives
the margin only where cos(theta) > 0. In the plane: ten narrow rays, evenly spread.

Departures from the paper: scale and margin defaults suit (C, D). Ten directions in a plane stand 36 degrees
apart. A negative margin is allowed: the best angle is then -m, nothing passes pi, and new classes can gain
(Liu et al. 2020, arXiv 2003.12060). `soft_start` is ours.
"""

import math

import torch
from torch import Tensor

from ..specs import FIXED, SCALE, SOFT_START, LossSpec, angular_margin_setting, setting
from ._cosine import CosineLoss, margin_scores
from ._geometry import add_angle, add_angle_monotone


class ArcFace(CosineLoss):
    """ArcFace with class directions `weight` (C, D)."""

    SPEC = LossSpec(
        title="ArcFace",
        summary="Additive angular margin: narrow rays at even angles.",
        paper="Deng et al., ArcFace: Additive Angular Margin Loss, CVPR 2019, arXiv 1801.07698, eq. 3",
        equation="L = CE(f, y),  f_j = s cos(theta_j),  f_y = s cos(theta_y + m)",
        kind="classifier",
        angular=True,
    )
    scale: float = SCALE
    margin: float = angular_margin_setting(
        0.478, 0.5, "angle m added to the own class", ge=-math.pi, sweep="0:0.5:lin:6", paper="0.5"
    )
    easy_margin: bool = setting(False, "margin only where cos(theta) > 0", paper="false")
    monotone: bool = setting(True, "keep falling where theta + m passes pi", paper="true (released code)")
    soft_start: float = SOFT_START
    fixed: bool = FIXED

    def _scores(self, features: Tensor, labels: Tensor, ramp: Tensor) -> Tensor:
        return margin_scores(features, self.weight, labels, ramp, self._target)

    def _target(self, cosine: Tensor, sine: Tensor) -> Tensor:
        if self.monotone and not self.easy_margin:
            return add_angle_monotone(cosine, sine, self.margin)
        shifted = add_angle(cosine, sine, self.margin)
        return torch.where(cosine > 0, shifted, cosine) if self.easy_margin else shifted
