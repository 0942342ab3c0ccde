"""MagFace: ArcFace whose margin grows with the feature's length, and a pull towards long features.

    L = CE(f, y) + lambda_g mean_i g(a_i),  f_j = s cos(theta_j) for j != y,  f_y = s cos(theta_y + m(a)),
    a = clip(||x||, l_a, u_a),  m(a) = l_m + (u_m - l_m) (a - l_a) / (u_a - l_a),  g(a) = 1/a + a/u_a^2
                                                                       (Meng et al. 2021, eq. 2)

Easy samples can afford a larger margin and become long, hard ones stay short: length tells quality. In
the plane: narrow rays at even angles, with doubtful samples nearer to the origin.

Departures from the paper: scale, margins and lambda_g suit (C, D); lambda_g shrinks with s (u_m - l_m),
which it must outweigh (App. B.2, eq. 9: lambda_g >= s u_a^2 l_a^2 / (u_a^2 - l_a^2) (u_m - l_m) / (u_a -
l_a); the command line warns below it). In the plane u_m = 0.8 passes the 36 degrees (0.63) between ten
directions. Lengths outside [l_a, u_a] get no pull along the radius, because of the clip. Past theta + m = pi
the target is s (cos(theta) - m sin(m)), the released code without `easy_margin`. `soft_start` is ours: it
scales margin and g alike. pytorch-metric-learning has no MagFace.
"""

import torch.nn.functional as F
from torch import Tensor

from ..errors import UsageError
from ..specs import (
    FIXED,
    SCALE,
    SOFT_START,
    LossSpec,
    angular_margin_setting,
    largest_angular_margin,
    setting,
    smallest_length_weight,
)
from ._cosine import CosineLoss, margin_scores
from ._geometry import add_angle_monotone, reduce
from ._soft_start import soft_start


class MagFace(CosineLoss):
    """MagFace with class directions `weight` (C, D)."""

    SPEC = LossSpec(
        title="MagFace",
        summary="ArcFace whose margin grows with the feature's length: length tells quality.",
        paper="Meng et al., MagFace: A Universal Representation, CVPR 2021, arXiv 2103.06627, eq. 2",
        equation="L = CE(f, y) + lambda_g (1/a + a/u_a^2),  f_y = s cos(theta_y + m(a)),  a = clip(||x||)",
        kind="classifier",
        angular=True,
        minima={"lambda_g": smallest_length_weight},
    )
    scale: float = SCALE
    lower_margin: float = angular_margin_setting(
        0.318, 0.45, "margin l_m of the shortest features", paper="0.40 (released code: 0.45)"
    )
    upper_margin: float = angular_margin_setting(
        0.637, 0.8, "margin u_m of the longest features", sweep="0.2:0.6:lin:5", paper="0.8"
    )
    lower_length: float = setting(10.0, "length l_a of the lower margin", gt=0, paper="10")
    upper_length: float = setting(110.0, "length u_a of the upper margin", gt=0, paper="110")
    lambda_g: float = setting(
        lambda classes, dim: round(
            1.5625 * max(16, min(64, 8 * dim)) * min(0.35, 0.319 * largest_angular_margin(classes, dim))
        ),
        "weight of the pull towards long features",
        ge=0,
        sweep="1:35:log:4",
        paper="35",
    )
    soft_start: float = SOFT_START
    fixed: bool = FIXED

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.upper_margin < self.lower_margin or self.upper_length <= self.lower_length:
            raise UsageError("upper_length must be above lower_length, upper_margin not below lower_margin.")

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """The cross-entropy with margin plus lambda_g g."""
        radius, ramp = soft_start(self, features, self.scale)
        length: Tensor = features.norm(dim=-1).clamp(self.lower_length, self.upper_length)
        slope = (self.upper_margin - self.lower_margin) / (self.upper_length - self.lower_length)
        margin = self.lower_margin + slope * (length - self.lower_length)

        def target(cosine: Tensor, sine: Tensor) -> Tensor:
            return add_angle_monotone(cosine, sine, margin)

        scores = margin_scores(features, self.weight, labels, ramp, target)
        pull = reduce(1 / length + length / self.upper_length**2, reduction)
        value = F.cross_entropy(radius * scores, labels, reduction=reduction)
        return value + ramp * self.lambda_g * pull
