"""Softmax cross-entropy on linear class scores.

    L = 1/B sum_i CE(W x_i + b, y_i)          (Wen et al. 2016, eq. 1)

In the plane the features become ten rays from the origin. Without a bias, as in the center-loss
authors' released network, all ten point outwards; with one, a class can collapse to the origin and be
told apart by its bias alone (NormFace, Fig. 3), so the bias is off by default.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import HyperParameter, LossSpec
from ._geometry import class_weight, full_precision

SPEC = LossSpec(
    title="Softmax",
    summary="Cross-entropy of linear class scores: ten rays.",
    paper="Wen et al., A Discriminative Feature Learning Approach (center loss), ECCV 2016, eq. 1",
    equation="L = CE(W x + b, y)",
    kind="classifier",
    settings={
        "bias": HyperParameter(
            default=False, help="add a bias to the class scores", paper="false (released network)"
        ),
    },
)


class Softmax(nn.Module):
    """Softmax loss with its own class weights `weight` (C, D) and, if asked for, `bias` (C,)."""

    def __init__(self, num_classes: int, feature_dim: int, *, bias: bool = False) -> None:
        super().__init__()
        chosen = SPEC.resolve(num_classes, feature_dim, bias=bias)
        self.weight = class_weight(num_classes, feature_dim)
        self.bias = nn.Parameter(torch.zeros(num_classes)) if chosen["bias"] else None

    @full_precision
    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (B, D) and labels (B,) to the mean cross-entropy."""
        return F.cross_entropy(self.logits(features), labels)

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Class scores (B, C)."""
        return F.linear(features, self.weight, self.bias)
