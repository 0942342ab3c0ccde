"""SFace: pull to the own direction and push from the others, each with a force that ends at an angle.

    L = 1/B sum_i [ -s r_p(theta_iy) cos(theta_iy) + sum_{j != y_i} s r_n(theta_ij) cos(theta_ij) ]
    r_p = sigma(k (theta - a)),  r_n = sigma(-k (theta - b)),  constants in backward     (Zhong et al. 2021)

The pull ends at the angle a, so that samples of poor quality or with a wrong label are not forced to their
direction; the push ends at the angle b from each other direction. In the plane: ten rays of width about 2a.

Departures from the paper: a and b suit (C, D). Ten directions in a plane stand 36 degrees (0.63) apart, and
the faces' a = 0.8 and b = 1.23 are beyond that. `soft_start` is ours (see _soft_start.py): first the
modified softmax. Read: SFaceLoss in SFace_torch/head/metrics.py and train_SFace_torch.py of zhongyy/SFace;
equation numbers not verified. pytorch-metric-learning has no counterpart.
"""

import torch
from torch import Tensor

from ..specs import FIXED, SOFT_START, LossSpec, neighbour_angle, setting
from ._cosine import CosineLoss
from ._geometry import cosines, is_target, reduce
from ._soft_start import after_modified_softmax


class SFace(CosineLoss):
    """SFace with class directions `weight` (C, D)."""

    SPEC = LossSpec(
        title="SFace",
        summary="Pull and push that end at an angle: rays of a chosen width.",
        paper="Zhong et al., SFace: Sigmoid-Constrained Hypersphere Loss, IEEE TIP 2021, arXiv 2205.12010",
        equation="L = -s sigma(k (theta_y - a)) c_y + sum_(j != y) s sigma(-k (theta_j - b)) c_j",
        kind="classifier",
        tags=("angular", "margin", "no-probabilities"),
        exceptions={"gradcheck": "the sigmoids are constants in backward, as the paper has it"},
    )
    scale: float = setting(64.0, "factor s of the forces", gt=0, sweep="8:64:log:4", paper="64")
    k: float = setting(80.0, "steepness of the sigmoids", gt=0, sweep="10:160:log:5", paper="80")
    a: float = setting(
        lambda classes, dim: round(min(0.8, 0.5 * neighbour_angle(classes, dim)), 3),
        "angle at which the pull ends",
        ge=0,
        le=3.142,
        unit="rad",
        paper="0.8",
        largest=neighbour_angle,
    )
    b: float = setting(
        lambda classes, dim: round(min(1.23, 0.78 * neighbour_angle(classes, dim)), 3),
        "angle at which the push ends",
        ge=0,
        le=3.142,
        unit="rad",
        paper="1.23",
        largest=neighbour_angle,
    )
    soft_start: float = SOFT_START
    fixed: bool = FIXED

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """The cosines times their forces."""
        cosine = cosines(features, self.weight)
        target_mask = is_target(cosine, labels)
        theta = torch.acos(cosine.detach().clamp(-1, 1))
        forces = torch.where(
            target_mask,
            -torch.sigmoid(self.k * (theta - self.a)),
            torch.sigmoid(-self.k * (theta - self.b)),
        )
        values = self.scale * (forces * cosine).sum(-1)
        return reduce(after_modified_softmax(self, features, labels, values), reduction)
