"""Combined margin: a factor and an addend on the angle to the own class, and a margin on its cosine.

    L = CE(f, y),  f_j = s cos(theta_j) for j != y,  f_y = s (cos(m1 theta_y + m2) - m3)
                                                                              (Deng et al. 2019, eq. 4)

(1, 0, 0) is NormFace, (1, 0, m) CosFace, (1, m, 0) ArcFace as its equation stands; (m, 0, 0) is
SphereFace's margin on features of length s. In the plane: narrow rays at even angles.

Departures from the paper: with a = m1 theta + m2 past pi the cosine would rise again, so that a worse angle
scores better. `monotone` (default) continues it by SphereFace's (-1)^k cos(a) - 2k, k = floor(a/pi):
continuous and falling, and the equation itself up to pi; off, it is the equation alone. The authors' later
PyTorch code ignores m1 and m2 where m3 > 0; here all three act. Defaults suit (C, D). `soft_start` is ours.
pytorch-metric-learning has the special cases only.
"""

import math

import torch
from torch import Tensor

from ..specs import FIXED, SCALE, SOFT_START, LossSpec, angular_margin_setting, margin_setting, setting
from ._cosine import CosineLoss, margin_scores
from ._geometry import angle


class CombinedMargin(CosineLoss):
    """Combined margin with class directions `weight` (C, D)."""

    SPEC = LossSpec(
        title="Combined margin",
        summary="Margins m1, m2, m3 on angle and cosine at once: SphereFace, ArcFace, CosFace in one.",
        paper="Deng et al., ArcFace: Additive Angular Margin Loss, CVPR 2019, arXiv 1801.07698, eq. 4",
        equation="L = CE(f, y),  f_j = s cos(theta_j),  f_y = s (cos(m1 theta_y + m2) - m3)",
        kind="classifier",
        angular=True,
    )
    scale: float = SCALE
    m1: float = setting(
        1.0,
        "factor on the angle to the own class",
        gt=0,
        le=8,
        sweep="0.8:1.4:lin:4",
        paper="1 (CM1), 0.9 (CM2)",
    )
    m2: float = angular_margin_setting(
        0.318, 0.3, "angle added to the own class", sweep="0:0.4:lin:5", paper="0.3 (CM1), 0.4 (CM2)"
    )
    m3: float = margin_setting(
        0.262,
        0.2,
        "cosine subtracted from the own class",
        sweep="0:0.15:lin:4",
        paper="0.2 (CM1), 0.15 (CM2)",
    )
    monotone: bool = setting(True, "keep falling where m1 theta + m2 passes pi", paper="false (the equation)")
    soft_start: float = SOFT_START
    fixed: bool = FIXED

    def _scores(self, features: Tensor, labels: Tensor, ramp: Tensor) -> Tensor:
        return margin_scores(features, self.weight, labels, ramp, self._target)

    def _target(self, cosine: Tensor, sine: Tensor) -> Tensor:
        widened = self.m1 * angle(cosine, sine) + self.m2
        if not self.monotone:
            return torch.cos(widened) - self.m3
        turns = torch.floor(widened.detach() / math.pi)
        return (1 - 2 * (turns % 2)) * torch.cos(widened) - 2 * turns - self.m3
