"""CosFace (LMCL, AM-Softmax): a margin subtracted from the cosine of the own class.

    L = CE(f, y),  f_j = s cos(theta_j) for j != y,  f_y = s (cos(theta_y) - m)     (Wang et al. 2018, eq. 4)

The same loss as AM-Softmax (F. Wang et al., IEEE SPL 2018, arXiv 1801.05599). In the plane: ten narrow
rays at even angles.

Departures from the papers: scale and margin defaults suit (C, D): ten directions in a plane satisfy
at most m = 0.19 (eq. 7), where faces use 0.35. `soft_start` is a schedule of ours that frees clusters
stuck on the circle (see geometry.soft_start); it acts only while the buffer `progress` is below 1,
which only lossbench's training loop sets. None from pytorch-metric-learning's CosFaceLoss.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import SOFT_START, HyperParameter, LossSpec, largest_cosine_margin, smallest_useful_scale
from ._geometry import class_weight, cosines, full_precision, is_target, soft_start

SPEC = LossSpec(
    title="CosFace",
    summary="Additive cosine margin: narrow rays at even angles.",
    paper="Wang et al., CosFace: Large Margin Cosine Loss, CVPR 2018, arXiv 1801.09414, eq. 4",
    equation="L = CE(f, y),  f_j = s cos(theta_j),  f_y = s (cos(theta_y) - m)",
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
            default=lambda classes, dim: round(min(0.35, 0.524 * largest_cosine_margin(classes, dim)), 3),
            low=0,
            high=2,
            help="cosine m subtracted from the own class",
            sweep="0:0.2:lin:5",
            paper="0.35",
            largest=largest_cosine_margin,
        ),
        "soft_start": SOFT_START,
    },
)


class CosFace(nn.Module):
    """CosFace with class directions `weight` (C, D); None takes the default of (C, D)."""

    progress: Tensor
    starting = False

    def __init__(
        self,
        num_classes: int,
        feature_dim: int,
        *,
        scale: float | None = None,
        margin: float | None = None,
        soft_start: float = 0.3,
    ) -> None:
        super().__init__()
        chosen = SPEC.resolve(num_classes, feature_dim, scale=scale, margin=margin, soft_start=soft_start)
        self.scale, self.margin = float(chosen["scale"]), float(chosen["margin"])
        self.soft_start = float(chosen["soft_start"])
        self.weight = class_weight(num_classes, feature_dim)
        self.register_buffer("progress", torch.ones(()))

    @full_precision
    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (B, D) and labels (B,) to the mean cross-entropy of the scores with margin."""
        radius, ramp = soft_start(self, features, self.scale)
        scores = cosines(features, self.weight)
        scores = torch.where(is_target(scores, labels), scores - ramp * self.margin, scores)
        return F.cross_entropy(radius * scores, labels)

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Margin-free class scores (B, C): s cos(theta)."""
        return self.scale * cosines(features, self.weight)
