"""ArcFace: an additive margin on the angle to the own class direction.

    L = CE(f, y),  f_j = s cos(theta_j) for j != y,  f_y = s cos(theta_y + m)     (Deng et al. 2019, eq. 3)

`monotone` (default) is the authors' released code: where theta + m passes pi the target is
s (cos(theta) - m sin(m)), so that a larger angle never scores better; off, it is the equation alone.
`easy_margin` gives the margin only where cos(theta) > 0. In the plane: ten narrow rays, evenly spread.

Departures from the paper: scale and margin defaults suit (C, D), because ten directions in a plane
stand 36 degrees apart. `soft_start` is a schedule of ours that frees clusters stuck on the circle
(see geometry.soft_start); it acts only while the buffer `progress` is below 1, which only lossbench's
training loop sets; `soft_start=0` switches it off there too.
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
    title="ArcFace",
    summary="Additive angular margin: narrow rays at even angles.",
    paper="Deng et al., ArcFace: Additive Angular Margin Loss, CVPR 2019, arXiv 1801.07698, eq. 3",
    equation="L = CE(f, y),  f_j = s cos(theta_j),  f_y = s cos(theta_y + m)",
    kind="classifier",
    tags=("angular", "margin"),
    settings={
        "scale": HyperParameter(
            default=lambda classes, dim: max(16.0, min(64.0, 8.0 * dim)),
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
        "easy_margin": HyperParameter(default=False, help="margin only where cos(theta) > 0", paper="false"),
        "monotone": HyperParameter(
            default=True, help="keep falling where theta + m passes pi", paper="true (released code)"
        ),
        "soft_start": SOFT_START,
    },
)


class ArcFace(nn.Module):
    """ArcFace with class directions `weight` (C, D); margin in radians, None for the default of (C, D)."""

    progress: Tensor
    starting = False

    def __init__(
        self,
        num_classes: int,
        feature_dim: int,
        *,
        scale: float | None = None,
        margin: float | None = None,
        easy_margin: bool = False,
        monotone: bool = True,
        soft_start: float = 0.3,
    ) -> None:
        super().__init__()
        chosen = SPEC.resolve(
            num_classes,
            feature_dim,
            scale=scale,
            margin=margin,
            easy_margin=easy_margin,
            monotone=monotone,
            soft_start=soft_start,
        )
        self.scale, self.margin = float(chosen["scale"]), float(chosen["margin"])
        self.easy_margin, self.monotone = bool(chosen["easy_margin"]), bool(chosen["monotone"])
        self.soft_start = float(chosen["soft_start"])
        self.weight = class_weight(num_classes, feature_dim)
        self.register_buffer("progress", torch.ones(()))

    @full_precision
    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (B, D) and labels (B,) to the mean cross-entropy of the scores with margin."""
        radius, ramp = soft_start(self, features, self.scale)
        x, w = normalize(features), normalize(self.weight)
        cosine, sine = target_cosine_and_sine(x, w, labels)
        target = cosine + ramp * (self._with_margin(cosine, sine) - cosine)
        scores = replace_target(x @ w.T, labels, target)
        return F.cross_entropy(radius * scores, labels)

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Margin-free class scores (B, C): s cos(theta)."""
        return self.scale * cosines(features, self.weight)

    def _with_margin(self, cosine: Tensor, sine: Tensor) -> Tensor:
        if self.monotone and not self.easy_margin:
            return falling_add_angle(cosine, sine, self.margin)
        shifted = add_angle(cosine, sine, self.margin)
        return torch.where(cosine > 0, shifted, cosine) if self.easy_margin else shifted
