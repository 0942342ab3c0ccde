"""CurricularFace: ArcFace whose hard negatives weigh more as training advances.

    L = CE(f, y),  f_y = s cos(theta_y + m),
    f_j = s cos(theta_j)                      where cos(theta_j) <= cos(theta_y + m)   (easy),
    f_j = s cos(theta_j) (t + cos(theta_j))   otherwise (hard)           (Huang et al. 2020, section 3)
    t <- a mean_i cos(theta_(i, y_i)) + (1 - a) t

t rises from 0 with the mean cosine to the own class: hard negatives count less at first and more in
the end. In the plane: narrow rays at even angles.

Departures from the paper: scale and margin defaults suit (C, D). t moves after the value is computed, as
in the paper's Algorithm 1; the released code moves it before. Past theta + m = pi the target is
s (cos(theta) - m sin(m)), as in that code, while hard is judged by cos(theta_y + m) itself.
`soft_start` is a schedule of ours that frees clusters stuck on the circle (see geometry.soft_start): it
scales the modulation of negatives like the margin, and acts only while the buffer `progress` is below 1,
which only lossbench's training loop sets. pytorch-metric-learning has no CurricularFace.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import SOFT_START, HyperParameter, LossSpec, largest_angular_margin, smallest_useful_scale
from ._geometry import (
    add_angle,
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
    title="CurricularFace",
    summary="ArcFace whose hard negatives weigh more as training advances.",
    paper="Huang et al., CurricularFace: Adaptive Curriculum Learning Loss, CVPR 2020, arXiv 2004.00288",
    equation="L = CE(f, y),  f_y = s cos(theta_y + m),  hard f_j = s cos(theta_j) (t + cos(theta_j))",
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
        "margin": HyperParameter(
            default=lambda classes, dim: round(min(0.5, 0.478 * largest_angular_margin(classes, dim)), 3),
            low=0,
            high=3.141592653589793,
            unit="rad",
            help="angle m added to the own class",
            sweep="0:0.5:lin:6",
            paper="0.5",
            largest=largest_angular_margin,
        ),
        "rate": HyperParameter(
            default=0.01, low=0, high=1, help="rate a at which t follows the batch", paper="0.01"
        ),
        "soft_start": SOFT_START,
    },
)


class CurricularFace(nn.Module):
    """CurricularFace with class directions `weight` (C, D) and the buffer `t` ()."""

    t: Tensor
    progress: Tensor
    starting = False

    def __init__(
        self,
        num_classes: int,
        feature_dim: int,
        *,
        scale: float | None = None,
        margin: float | None = None,
        rate: float = 0.01,
        soft_start: float = 0.3,
    ) -> None:
        super().__init__()
        chosen = SPEC.resolve(
            num_classes, feature_dim, scale=scale, margin=margin, rate=rate, soft_start=soft_start
        )
        self.scale, self.margin = float(chosen["scale"]), float(chosen["margin"])
        self.rate, self.soft_start = float(chosen["rate"]), float(chosen["soft_start"])
        self.weight = class_weight(num_classes, feature_dim)
        self.register_buffer("t", torch.zeros(()))
        self.register_buffer("progress", torch.ones(()))

    @full_precision
    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (B, D) and labels (B,) to the mean cross-entropy of the modulated scores."""
        radius, ramp = soft_start(self, features, self.scale)
        x, w = normalize(features), normalize(self.weight)
        cosine, sine = target_cosine_and_sine(x, w, labels)
        target = cosine + ramp * (falling_add_angle(cosine, sine, self.margin) - cosine)
        scores = x @ w.T
        hard = scores > add_angle(cosine, sine, self.margin).unsqueeze(1)
        modulated = scores + ramp * scores * (self.t + scores - 1)
        scores = replace_target(torch.where(hard, modulated, scores), labels, target)
        value = F.cross_entropy(radius * scores, labels)
        if self.training:
            with torch.no_grad():
                self.t += self.rate * (cosine.mean() - self.t)
        return value

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Margin-free class scores (B, C): s cos(theta)."""
        return self.scale * cosines(features, self.weight)
