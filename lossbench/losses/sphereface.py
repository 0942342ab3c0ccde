"""SphereFace: the angle to the own class direction counts m-fold, class weights have unit length.

    a-softmax:  f_j = |x| cos(theta_j),  f_y = |x| (lambda cos(theta_y) + psi(theta_y)) / (1 + lambda)
                psi(theta) = (-1)^k cos(m theta) - 2k for theta in [k pi/m, (k+1) pi/m]
                lambda = max(lambda_min, base / (1 + 0.12 t))         (Liu et al. 2017, eqs. 6-7; code)
    v1:         f_j = s cos(theta_j),  f_y = s cos(min(m theta_y, pi))     (SphereFace-R: Liu et al. 2022,
    v2:         f_j = s cos(theta_j / m),  f_y = s cos(theta_y)             hard feature normalisation)

and L = 1/B sum_i CE(f_i, y_i). In the plane: ten rays (a-softmax), or ten narrow spots on a circle (v1,
v2). m = 1 is the modified softmax, or NormFace. base = lambda_min = 0 is pytorch-metric-learning's
SphereFaceLoss(scale=1) and the equation of the paper without annealing.

Departures: t is by default 20000 * `progress` (see l-softmax; 1 unless lossbench trains), and lambda_min 1,
not the released 5. In the plane 5 leaves little margin. The gradient of a-softmax is the true one, which the
released Caffe layer rescales. v1, v2 (`margin_r`): the margin is detached as in the paper, but the factor 50
/ s of the authors' code is left out, and `soft_start` is ours.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import FIXED, SOFT_START, LossSpec, scale_setting, setting
from ._annealing import annealed_lambda
from ._cosine import CosineLoss
from ._geometry import (
    angle,
    full_precision,
    length_and_direction,
    multiplied_angle,
    normalize,
    replace_target,
    target_cosine_and_sine,
)
from ._soft_start import soft_start


class SphereFace(CosineLoss):
    """SphereFace with class directions `weight` (C, D) and the annealing buffer `step` ()."""

    SPEC = LossSpec(
        title="SphereFace",
        summary="Multiplicative angular margin: A-Softmax and SphereFace-R.",
        paper="Liu et al., SphereFace, CVPR 2017, arXiv 1704.08063; SphereFace-R, TPAMI 2022, "
        "arXiv 2109.05565",
        equation="f_y = |x| (lambda cos(theta_y) + psi(theta_y)) / (1 + lambda),  f_j = |x| cos(theta_j)",
        kind="classifier",
        aliases=("a-softmax",),
        angular=True,
    )
    form: str = setting("a-softmax", "the equation", choices=("a-softmax", "v1", "v2"))
    margin: float = setting(4.0, "a-softmax: m", ge=1, le=8, sweep="1:4:lin:4", paper="4")
    annealing: str = setting("progress", "time t of lambda", choices=("progress", "steps"), paper="steps")
    base: float = setting(1000.0, "lambda at t = 0; 0: no annealing", ge=0, paper="1000")
    lambda_min: float = setting(1.0, "least lambda; 0: the full margin", ge=0, paper="5")
    margin_r: float = setting(1.5, "v1, v2: m", ge=1, le=8, sweep="1:2:lin:5", paper="1.5")
    scale: float = scale_setting(
        lambda _, dim: max(24.0, min(64.0, 8.0 * dim)), "v1, v2: length s given to the features", paper="30"
    )
    soft_start: float = SOFT_START
    fixed: bool = FIXED

    def __post_init__(self) -> None:
        super().__post_init__()
        self.step: Tensor = nn.Buffer(torch.zeros(()))

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """The cross-entropy of the scores with margin."""
        (radius, x), w = length_and_direction(features), normalize(self.weight)
        scores, (target, sine) = x @ w.T, target_cosine_and_sine(x, w, labels)
        if self.form == "a-softmax":
            share = 1 / (1 + annealed_lambda(self, gamma=0.12, power=1))
            target = torch.lerp(target, multiplied_angle(target, sine, self.margin), share)
            scores = radius * replace_target(scores, labels, target)
            value = F.cross_entropy(scores, labels, reduction=reduction)
            self.move_state(value, step=self.step + 1)
            return value
        radius, ramp = soft_start(self, features, self.scale)
        if self.form == "v1":
            changed = torch.cos((self.margin_r * angle(target, sine)).clamp(max=math.pi))
            target = target + ramp * (changed - target).detach()
        else:
            changed = torch.cos(torch.acos(scores.clamp(-1, 1)) / self.margin_r)
            scores = scores + ramp * (changed - scores).detach()
        return F.cross_entropy(radius * replace_target(scores, labels, target), labels, reduction=reduction)

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Margin-free class scores (B, C): |x| cos(theta), or s cos(theta) of v1 and v2."""
        return (
            F.linear(features, normalize(self.weight))
            if self.form == "a-softmax"
            else super().logits(features)
        )
