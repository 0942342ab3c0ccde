"""SFace: pull to the own direction and push from the others, each with a force that ends at an angle.

    L = 1/B sum_i [ -s r_p(theta_iy) cos(theta_iy) + sum_{j != y_i} s r_n(theta_ij) cos(theta_ij) ]
    r_p = sigma(k (theta - a)),  r_n = sigma(-k (theta - b)),  constants in backward     (Zhong et al. 2021)

The pull ends at the angle a, so that samples of poor quality or with a wrong label are not forced to their
direction; the push ends at the angle b from each other direction. In the plane: ten rays of width about 2a.

Departures from the paper: a and b suit (C, D). Ten directions in a plane stand 0.63 apart.
`soft_start` is ours. Read: SFaceLoss in SFace_torch/head/metrics.py and
train_SFace_torch.py of zhongyy/SFace; equation numbers not verified.
"""

import torch
from torch import Tensor

from ..specs import FIXED, SOFT_START, LossSpec, angular_margin_setting, setting
from ._cosine import DirectCosineLoss


class SFace(DirectCosineLoss):
    """SFace with class directions `weight` (C, D)."""

    SPEC = LossSpec(
        title="SFace",
        summary="Pull and push that end at an angle: rays of a chosen width.",
        paper="Zhong et al., SFace: Sigmoid-Constrained Hypersphere Loss, IEEE TIP 2021, arXiv 2205.12010",
        equation="L = -s sigma(k (theta_y - a)) c_y + sum_(j != y) s sigma(-k (theta_j - b)) c_j",
        kind="classifier",
        angular=True,
        probabilities=False,
        exceptions={"gradcheck": "the sigmoids are constants in backward, as the paper has it"},
    )
    scale: float = setting(64.0, "factor s of the forces", gt=0, sweep="8:64:log:4", paper="64")
    k: float = setting(80.0, "steepness of the sigmoids", gt=0, sweep="10:160:log:5", paper="80")
    a: float = angular_margin_setting(0.5, 0.8, "angle at which the pull ends", paper="0.8")
    b: float = angular_margin_setting(0.78, 1.23, "angle at which the push ends", paper="1.23")
    soft_start: float = SOFT_START
    fixed: bool = FIXED

    def _values(self, cosine: Tensor, target_mask: Tensor, ramp: Tensor) -> Tensor:  # noqa: ARG002
        theta = torch.acos(cosine.detach().clamp(-1, 1))
        pull, push = torch.sigmoid(self.k * (theta - self.a)), torch.sigmoid(-self.k * (theta - self.b))
        return self.scale * (torch.where(target_mask, -pull, push) * cosine).sum(-1)
