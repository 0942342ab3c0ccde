"""COCO (congenerous cosine): normalised softmax with one fixed scale.

    L = CE(f, y),  f_j = s cos(theta_j)                                      (Liu et al. 2017, version 2)

The same function as NormFace with a fixed s; what the paper adds is a rule for the scale,
s = ln((C - 1) / eps) / 2 + 3, with eps the loss to be reached. In the plane: ten rays at even angles.

Departures from the paper: its rule gives 8.7 for ten classes and eps = 1e-4, which counts on directions
90 degrees apart or more; in a plane they stand 36 degrees apart and a perfect sample would reach p = 0.72
only, so the default is 16 (p = 0.91). This is version 2 (arXiv 1710.00870): version 1 compares with the
centroids of the batch, and its authors call its gradient wrong. `soft_start` is a schedule of ours that
frees clusters stuck on the circle (see geometry.soft_start); it acts only while the buffer `progress` is
below 1, which only lossbench's training loop sets. pytorch-metric-learning's NormalizedSoftmaxLoss is
the same with temperature 1/s.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import SOFT_START, HyperParameter, LossSpec, smallest_useful_scale
from ._geometry import class_weight, cosines, full_precision, soft_start

SPEC = LossSpec(
    title="COCO",
    summary="Congenerous cosine: scaled cosines, with the scale by a rule.",
    paper="Liu, Li, Wang, Rethinking Feature Discrimination and Polymerization, 2017, arXiv 1710.00870",
    equation="L = CE(f, y),  f_j = s cos(theta_j)",
    kind="classifier",
    tags=("angular",),
    settings={
        "scale": HyperParameter(
            default=16.0,
            low=0,
            low_open=True,
            help="length s given to the features",
            sweep="4:64:log:5",
            paper="ln((C-1)/eps)/2 + 3: 8.7 for C = 10, eps = 1e-4",
            smallest=smallest_useful_scale,
        ),
        "soft_start": SOFT_START,
    },
)


class Coco(nn.Module):
    """COCO with class directions `weight` (C, D)."""

    progress: Tensor
    starting = False

    def __init__(
        self, num_classes: int, feature_dim: int, *, scale: float = 16.0, soft_start: float = 0.3
    ) -> None:
        super().__init__()
        chosen = SPEC.resolve(num_classes, feature_dim, scale=scale, soft_start=soft_start)
        self.scale, self.soft_start = float(chosen["scale"]), float(chosen["soft_start"])
        self.weight = class_weight(num_classes, feature_dim)
        self.register_buffer("progress", torch.ones(()))

    @full_precision
    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (B, D) and labels (B,) to the mean cross-entropy."""
        radius, _ = soft_start(self, features, self.scale)
        return F.cross_entropy(radius * cosines(features, self.weight), labels)

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Class scores (B, C): s cos(theta)."""
        return self.scale * cosines(features, self.weight)
