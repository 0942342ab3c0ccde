"""CurricularFace: ArcFace whose hard negatives weigh more as training advances.

    L = CE(f, y),  f_y = s cos(theta_y + m),
    f_j = s cos(theta_j)                      where cos(theta_j) <= cos(theta_y + m)   (easy),
    f_j = s cos(theta_j) (t + cos(theta_j))   otherwise (hard)           (Huang et al. 2020, section 3)
    t <- a mean_i cos(theta_(i, y_i)) + (1 - a) t

t rises from 0 with the mean cosine to the own class: hard negatives count less at first and more in
the end. In the plane: narrow rays at even angles.

Departures from the paper: scale and margin defaults suit (C, D). t moves after the value is computed, as in
the paper's Algorithm 1; the released code moves it before. Past theta + m = pi the target is s (cos(theta)
- m sin(m)), as in that code, while hard is decided by cos(theta_y + m) itself. `soft_start` is ours: it
scales the modulation of negatives like the margin. The paper
may print the complement of `rate`, 0.99 (not verified). pytorch-metric-learning has no CurricularFace.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import ANGULAR_MARGIN, FIXED, SCALE, SOFT_START, LossSpec, setting
from ._cosine import CosineLoss
from ._geometry import add_angle, add_angle_monotone, normalize, replace_target, target_cosine_and_sine
from ._soft_start import soft_start


class CurricularFace(CosineLoss):
    """CurricularFace with class directions `weight` (C, D) and the buffer `t` ()."""

    SPEC = LossSpec(
        title="CurricularFace",
        summary="ArcFace whose hard negatives weigh more as training advances.",
        paper="Huang et al., CurricularFace: Adaptive Curriculum Learning Loss, CVPR 2020, arXiv 2004.00288",
        equation="L = CE(f, y),  f_y = s cos(theta_y + m),  hard f_j = s cos(theta_j) (t + cos(theta_j))",
        kind="classifier",
        angular=True,
    )
    scale: float = SCALE
    margin: float = ANGULAR_MARGIN
    rate: float = setting(
        0.01, "rate a at which t follows the batch", ge=0, le=1, paper="0.01 (not verified)"
    )
    soft_start: float = SOFT_START
    fixed: bool = FIXED

    def __post_init__(self) -> None:
        super().__post_init__()
        self.t: Tensor = nn.Buffer(torch.zeros(()))

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """The cross-entropy of the modulated scores."""
        radius, ramp = soft_start(self, features, self.scale)
        x, w = normalize(features), normalize(self.weight)
        cosine, sine = target_cosine_and_sine(x, w, labels)
        target = cosine + ramp * (add_angle_monotone(cosine, sine, self.margin) - cosine)
        scores = x @ w.T
        hard = scores > add_angle(cosine, sine, self.margin).unsqueeze(1)
        modulated = scores + ramp * scores * (self.t + scores - 1)
        scores = replace_target(torch.where(hard, modulated, scores), labels, target)
        value = F.cross_entropy(radius * scores, labels, reduction=reduction)
        self.move_state(value, t=self.t + self.rate * (cosine.detach().mean() - self.t))
        return value
