"""MagFace: ArcFace whose margin grows with the feature's length, and a pull towards long features.

    L = CE(f, y) + lambda_g mean_i g(a_i),  f_j = s cos(theta_j) for j != y,  f_y = s cos(theta_y + m(a)),
    a = clip(||x||, l_a, u_a),  m(a) = l_m + (u_m - l_m) (a - l_a) / (u_a - l_a),  g(a) = 1/a + a/u_a^2
                                                                       (Meng et al. 2021, sections 3.2-3.3)

Easy samples can afford a larger margin and become long, hard ones stay short: length tells quality. In
the plane: narrow rays at even angles, with doubtful samples nearer to the origin.

Departures from the paper: scale, margins and lambda_g suit (C, D); u_m = 0.8 passes the 36 degrees
(0.63) between ten directions in a plane, and lambda_g shrinks with s (u_m - l_m), which it must outweigh.
Past theta + m = pi the target is s (cos(theta) - m sin(m)), the released code without `easy_margin`.
`soft_start` is a schedule of ours that frees clusters stuck on the circle (see geometry.soft_start): it
scales margin and g alike, and acts only while the buffer `progress` is below 1, which only lossbench's
training loop sets. pytorch-metric-learning has no MagFace.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import UsageError
from ..specs import SOFT_START, HyperParameter, LossSpec, largest_angular_margin, smallest_useful_scale
from ._geometry import (
    class_weight,
    cosines,
    falling_add_angle,
    full_precision,
    normalize,
    replace_target,
    soft_start,
    target_cosine_and_sine,
)

SPEC = LossSpec(
    title="MagFace",
    summary="ArcFace whose margin grows with the feature's length: length tells quality.",
    paper="Meng et al., MagFace: A Universal Representation, CVPR 2021, arXiv 2103.06627",
    equation="L = CE(f, y) + lambda_g (1/a + a/u_a^2),  f_y = s cos(theta_y + m(a)),  a = clip(||x||)",
    kind="classifier",
    tags=("angular", "margin"),
    settings={
        "scale": HyperParameter(
            default=lambda _, dim: max(16.0, min(64.0, 8.0 * dim)),
            low=0,
            low_open=True,
            help="length s given to the features",
            sweep="8:64:log:4",
            paper="64",
            smallest=smallest_useful_scale,
        ),
        "lower_margin": HyperParameter(
            default=lambda classes, dim: round(min(0.45, 0.318 * largest_angular_margin(classes, dim)), 3),
            low=0,
            high=3.141592653589793,
            unit="rad",
            help="margin l_m of the shortest features",
            paper="0.45",
            largest=largest_angular_margin,
        ),
        "upper_margin": HyperParameter(
            default=lambda classes, dim: round(min(0.8, 0.637 * largest_angular_margin(classes, dim)), 3),
            low=0,
            high=3.141592653589793,
            unit="rad",
            help="margin u_m of the longest features",
            sweep="0.2:0.6:lin:5",
            paper="0.8",
            largest=largest_angular_margin,
        ),
        "lower_length": HyperParameter(
            default=10.0, low=0, low_open=True, help="length l_a of the lower margin", paper="10"
        ),
        "upper_length": HyperParameter(
            default=110.0, low=0, low_open=True, help="length u_a of the upper margin", paper="110"
        ),
        "lambda_g": HyperParameter(
            default=lambda classes, dim: round(
                1.5625 * max(16, min(64, 8 * dim)) * min(0.35, 0.319 * largest_angular_margin(classes, dim))
            ),
            low=0,
            help="weight of the pull towards long features",
            sweep="1:35:log:4",
            paper="35",
        ),
        "soft_start": SOFT_START,
    },
)


class MagFace(nn.Module):
    """MagFace with class directions `weight` (C, D); None takes the default of (C, D)."""

    progress: Tensor
    starting = False

    def __init__(
        self,
        num_classes: int,
        feature_dim: int,
        *,
        scale: float | None = None,
        lower_margin: float | None = None,
        upper_margin: float | None = None,
        lower_length: float = 10.0,
        upper_length: float = 110.0,
        lambda_g: float | None = None,
        soft_start: float = 0.3,
    ) -> None:
        super().__init__()
        chosen = SPEC.resolve(
            num_classes,
            feature_dim,
            scale=scale,
            lower_margin=lower_margin,
            upper_margin=upper_margin,
            lower_length=lower_length,
            upper_length=upper_length,
            lambda_g=lambda_g,
            soft_start=soft_start,
        )
        self.scale, self.lower_margin, self.upper_margin, *rest = (float(each) for each in chosen.values())
        self.lower_length, self.upper_length, self.lambda_g, self.soft_start = rest
        if self.upper_margin < self.lower_margin or self.upper_length <= self.lower_length:
            raise UsageError("upper_margin and upper_length must lie above lower_margin and lower_length.")
        self.weight = class_weight(num_classes, feature_dim)
        self.register_buffer("progress", torch.ones(()))

    @full_precision
    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (B, D) and labels (B,) to the mean cross-entropy with margin plus lambda_g g."""
        radius, ramp = soft_start(self, features, self.scale)
        length: Tensor = features.norm(dim=-1).clamp(self.lower_length, self.upper_length)
        slope = (self.upper_margin - self.lower_margin) / (self.upper_length - self.lower_length)
        margin = self.lower_margin + slope * (length - self.lower_length)
        x, w = normalize(features), normalize(self.weight)
        cosine, sine = target_cosine_and_sine(x, w, labels)
        target = cosine + ramp * (falling_add_angle(cosine, sine, margin) - cosine)
        scores = replace_target(x @ w.T, labels, target)
        pull = (1 / length + length / self.upper_length**2).mean()
        return F.cross_entropy(radius * scores, labels) + ramp * self.lambda_g * pull

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Margin-free class scores (B, C): s cos(theta)."""
        return self.scale * cosines(features, self.weight)
