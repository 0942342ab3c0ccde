"""NormFace: cross-entropy of s times the cosine between feature and class direction.

    L = CE(f, y),  f_j = s cos(theta_j)                            (Wang et al. 2017, section 3)

Both sides have length one, so only angles count and the scale s says how sharply; with s = 1 the loss
of ten classes cannot fall below 1.377 (Proposition 2). In the plane: ten rays at even angles.

Departures from the paper: s is fixed by default, where the paper prefers a learned one; `learnable`
learns log(s), which keeps s positive (the authors clip s at 0.01), and starts from `scale` (theirs: 10).
The default scale suits ten directions in a plane. `soft_start` is a schedule of ours that frees
clusters stuck on the circle (see geometry.soft_start); it acts only while the buffer `progress` is below
1, which only lossbench's training loop sets. pytorch-metric-learning's NormalizedSoftmaxLoss is the same
with temperature 1/s.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import SOFT_START, HyperParameter, LossSpec, smallest_useful_scale
from ._geometry import class_weight, cosines, full_precision, soft_start

SPEC = LossSpec(
    title="NormFace",
    summary="Softmax of scaled cosines: rays at even angles.",
    paper="Wang et al., NormFace: L2 Hypersphere Embedding, ACM MM 2017, arXiv 1704.06369, section 3",
    equation="L = CE(f, y),  f_j = s cos(theta_j)",
    kind="classifier",
    tags=("angular",),
    settings={
        "scale": HyperParameter(
            default=lambda _, dim: max(16.0, min(30.0, 4.0 * dim)),
            low=0,
            low_open=True,
            help="length s given to the features (learnable: its start)",
            sweep="4:64:log:5",
            paper="learned, from 10; fixed: 20 to 30",
            smallest=smallest_useful_scale,
        ),
        "learnable": HyperParameter(default=False, help="learn the scale (as log s)", paper="true"),
        "soft_start": SOFT_START,
    },
)


class NormFace(nn.Module):
    """NormFace with class directions `weight` (C, D) and, if learnable, the parameter `log_scale` ()."""

    progress: Tensor
    starting = False

    def __init__(
        self,
        num_classes: int,
        feature_dim: int,
        *,
        scale: float | None = None,
        learnable: bool = False,
        soft_start: float = 0.3,
    ) -> None:
        super().__init__()
        chosen = SPEC.resolve(
            num_classes, feature_dim, scale=scale, learnable=learnable, soft_start=soft_start
        )
        self.fixed_scale = float(chosen["scale"])
        self.soft_start = float(chosen["soft_start"])
        self.weight = class_weight(num_classes, feature_dim)
        start = torch.tensor(math.log(self.fixed_scale))
        self.log_scale = nn.Parameter(start) if chosen["learnable"] else None
        self.register_buffer("progress", torch.ones(()))

    @property
    def scale(self) -> float | Tensor:
        """The scale s in force: fixed, or learned so far."""
        return self.fixed_scale if self.log_scale is None else self.log_scale.exp()

    @full_precision
    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (B, D) and labels (B,) to the mean cross-entropy."""
        radius, _ = soft_start(self, features, self.scale)
        return F.cross_entropy(radius * cosines(features, self.weight), labels)

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Class scores (B, C): s cos(theta)."""
        return self.scale * cosines(features, self.weight)
