"""Sub-center ArcFace: ArcFace with K directions per class, of which the nearest counts.

    L = CE(f, y),  f_j = s cos(theta_j) for j != y,  f_y = s cos(theta_y + m),
    cos(theta_j) = max_k cos(theta_jk)                                     (Deng et al. 2020, section 3)

Noisy or unusual samples can gather at a direction of their own and no longer bend the class. In the
plane: narrow rays, of which a class may have more than one.

Departures from the paper: scale, margin and K suit (C, D): thirty directions in a plane are too many for ten
classes to find their own (95.1 % on MNIST with K = 3). Past theta + m = pi the target is
s (cos(theta) - m sin(m)), as in ArcFace's released code. `soft_start` is a schedule of ours that frees
clusters stuck on the circle (see geometry.soft_start); it acts only while the buffer `progress` is
below 1, which only lossbench's training loop sets. None from pytorch-metric-learning's
SubCenterArcFaceLoss, whose margin is in degrees; like it, `weight` holds the K rows of a class together.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import SOFT_START, HyperParameter, LossSpec, largest_angular_margin, smallest_useful_scale
from ._geometry import (
    class_weight,
    falling_add_angle,
    full_precision,
    normalize,
    replace_target,
    soft_start,
    target_cosine_and_sine,
)

SPEC = LossSpec(
    title="Sub-center ArcFace",
    summary="ArcFace with several directions per class, of which the nearest counts.",
    paper="Deng et al., Sub-center ArcFace: Boosting Face Recognition by Noisy Web Faces, ECCV 2020",
    equation="L = CE(f, y),  f_j = s max_k cos(theta_jk),  f_y = s cos(theta_y + m)",
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
        "subcenters": HyperParameter(
            default=2, low=1, help="directions K per class", sweep="1:5:lin:5", paper="3"
        ),
        "soft_start": SOFT_START,
    },
)


class SubcenterArcFace(nn.Module):
    """Sub-center ArcFace with directions `weight` (C*K, D), row j*K + k being direction k of class j."""

    progress: Tensor
    starting = False

    def __init__(
        self,
        num_classes: int,
        feature_dim: int,
        *,
        scale: float | None = None,
        margin: float | None = None,
        subcenters: int = 2,
        soft_start: float = 0.3,
    ) -> None:
        super().__init__()
        chosen = SPEC.resolve(
            num_classes, feature_dim, scale=scale, margin=margin, subcenters=subcenters, soft_start=soft_start
        )
        self.scale, self.margin = float(chosen["scale"]), float(chosen["margin"])
        self.subcenters, self.soft_start = int(chosen["subcenters"]), float(chosen["soft_start"])
        self.weight = class_weight(num_classes * self.subcenters, feature_dim)
        self.register_buffer("progress", torch.ones(()))

    @full_precision
    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (B, D) and labels (B,) to the mean cross-entropy of the scores with margin."""
        radius, ramp = soft_start(self, features, self.scale)
        x, w = normalize(features), normalize(self.weight)
        scores, nearest = self._nearest(x, w)
        row = labels * self.subcenters + nearest.gather(1, labels.unsqueeze(1)).squeeze(1)
        cosine, sine = target_cosine_and_sine(x, w, row)
        target = cosine + ramp * (falling_add_angle(cosine, sine, self.margin) - cosine)
        return F.cross_entropy(radius * replace_target(scores, labels, target), labels)

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Margin-free class scores (B, C): s cos(theta) with the nearest direction of each class."""
        return self.scale * self._nearest(normalize(features), normalize(self.weight))[0]

    def _nearest(self, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        """Of unit vectors: cosine to, and number k of, the nearest direction of each class: (B, C) each."""
        nearest = (x @ w.T).view(len(x), -1, self.subcenters).max(-1)
        return nearest.values, nearest.indices
