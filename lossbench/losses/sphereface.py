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
not the released 5, which in the plane leaves little margin. The gradient of a-softmax is the true one, which
the released Caffe layer rescales. v1, v2 (`margin_r`): the margin is detached as in the paper, but the factor
50 / s of the authors' code is left out, and `soft_start` is ours (see geometry.soft_start).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import SOFT_START, HyperParameter, LossSpec, smallest_useful_scale
from ._geometry import (
    angle,
    annealed_lambda,
    class_weight,
    cosines,
    full_precision,
    multiplied_angle,
    normalize,
    replace_target,
    soft_start,
    target_cosine_and_sine,
)

SPEC = LossSpec(
    title="SphereFace",
    summary="Multiplicative angular margin: A-Softmax and SphereFace-R.",
    paper="Liu et al., SphereFace, CVPR 2017, arXiv 1704.08063; SphereFace-R, TPAMI 2022, arXiv 2109.05565",
    equation="f_y = |x| (lambda cos(theta_y) + psi(theta_y)) / (1 + lambda),  f_j = |x| cos(theta_j)",
    kind="classifier",
    tags=("angular", "margin"),
    settings={
        "form": HyperParameter(default="a-softmax", choices=("a-softmax", "v1", "v2"), help="the equation"),
        "margin": HyperParameter(
            default=4.0, low=1, high=8, help="a-softmax: m", sweep="1:4:lin:4", paper="4"
        ),
        "annealing": HyperParameter(
            default="progress", choices=("progress", "steps"), help="clock t of lambda", paper="steps"
        ),
        "base": HyperParameter(default=1000.0, low=0, help="lambda at t = 0; 0: no annealing", paper="1000"),
        "lambda_min": HyperParameter(default=1.0, low=0, help="least lambda; 0: the full margin", paper="5"),
        "margin_r": HyperParameter(
            default=1.5, low=1, high=8, help="v1, v2: m", sweep="1:2:lin:5", paper="1.5"
        ),
        "scale": HyperParameter(
            default=lambda _, dim: max(24.0, min(64.0, 8.0 * dim)),
            low=0,
            low_open=True,
            help="v1, v2: length s given to the features",
            paper="30",
            smallest=smallest_useful_scale,
        ),
        "soft_start": SOFT_START,
    },
)
_ITERATIONS = 20_000  # length of the training that `progress` 0 ... 1 stands for


class SphereFace(nn.Module):
    """SphereFace with class directions `weight` (C, D) and annealing buffer `step` ()."""

    progress: Tensor
    starting = False
    step: Tensor

    def __init__(
        self,
        num_classes: int,
        feature_dim: int,
        *,
        form: str = "a-softmax",
        margin: float = 4.0,
        annealing: str = "progress",
        base: float = 1000.0,
        lambda_min: float = 1.0,
        margin_r: float = 1.5,
        scale: float | None = None,
        soft_start: float = 0.3,
    ) -> None:
        super().__init__()
        chosen = SPEC.resolve(
            num_classes,
            feature_dim,
            form=form,
            margin=margin,
            annealing=annealing,
            base=base,
            lambda_min=lambda_min,
            margin_r=margin_r,
            scale=scale,
            soft_start=soft_start,
        )
        self.form, self.annealing = chosen["form"], chosen["annealing"]
        self.margin = float(chosen["margin" if form == "a-softmax" else "margin_r"])
        self.base, self.lambda_min = float(chosen["base"]), float(chosen["lambda_min"])
        self.scale, self.soft_start = float(chosen["scale"]), float(chosen["soft_start"])
        self.weight = class_weight(num_classes, feature_dim)
        self.register_buffer("progress", torch.ones(()))
        self.register_buffer("step", torch.zeros(()))

    @full_precision
    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (B, D) and labels (B,) to the mean cross-entropy of the scores with margin."""
        x, w = normalize(features), normalize(self.weight)
        scores, (target, sine) = x @ w.T, target_cosine_and_sine(x, w, labels)
        if self.form == "a-softmax":
            radius, share = torch.linalg.vector_norm(features, dim=-1, keepdim=True), 1 / (1 + self._lambda())
            target = target + share * (multiplied_angle(target, sine, self.margin) - target)
            return F.cross_entropy(radius * replace_target(scores, labels, target), labels)
        radius, ramp = soft_start(self, features, self.scale)
        if self.form == "v1":
            changed = torch.cos((self.margin * angle(target, sine)).clamp(max=math.pi))
            target = target + ramp * (changed - target).detach()
        else:
            changed = torch.cos(torch.acos(scores.clamp(-1, 1)) / self.margin)
            scores = scores + ramp * (changed - scores).detach()
        return F.cross_entropy(radius * replace_target(scores, labels, target), labels)

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Margin-free class scores (B, C): |x| cos(theta), or s cos(theta) of v1 and v2."""
        if self.form == "a-softmax":
            return F.linear(features, normalize(self.weight))
        return self.scale * cosines(features, self.weight)

    @torch.no_grad()
    def _lambda(self) -> Tensor:
        """lambda of this step; a training step counts."""
        time = self.step if self.annealing == "steps" else _ITERATIONS * self.progress
        value = annealed_lambda(time, self.base, 0.12, 1, self.lambda_min)
        if self.training:
            self.step += 1
        return value
