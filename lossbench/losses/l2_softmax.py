"""L2-softmax: softmax on features of one fixed length.

    L = CE(W (s x / ||x||) + b, y)                                     (Ranjan et al. 2017, eq. 3)

Easy samples cannot lower the loss by a long feature, so hard ones weigh more. The class weights keep
their free lengths, unlike NormFace. In the plane: ten arcs of the circle, of uneven width.

Departures from the paper: s (its alpha) is fixed; `learnable` learns log(s). Its lower bound is
ln(p (C - 2) / (1 - p)), 4.3 for p = 0.9 and C = 10. The bias is off by default, as in softmax here.
`soft_start` is a schedule of ours that frees clusters stuck on the circle (see geometry.soft_start):
until then it is the softmax; it acts only while the buffer `progress` is below 1, which only
lossbench's training loop sets. pytorch-metric-learning has no counterpart with free weights; with
weights of length one it is NormalizedSoftmaxLoss.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import SOFT_START, HyperParameter, LossSpec
from ._geometry import class_weight, full_precision, normalize, soft_start

SPEC = LossSpec(
    title="L2-softmax",
    summary="Softmax on features of one fixed length: arcs of a circle.",
    paper="Ranjan et al., L2-constrained Softmax Loss, 2017, arXiv 1703.09507, eq. 3",
    equation="L = CE(W (s x / ||x||) + b, y)",
    kind="classifier",
    tags=("angular",),
    settings={
        "scale": HyperParameter(
            default=16.0,
            low=0,
            low_open=True,
            help="length s of all features (learnable: its start)",
            sweep="4:64:log:5",
            paper="at least ln(p (C-2) / (1-p)): 4.3 for p = 0.9, C = 10",
        ),
        "learnable": HyperParameter(default=False, help="learn the length (as log s)", paper="both"),
        "bias": HyperParameter(default=False, help="add a bias to the class scores", paper="true"),
        "soft_start": SOFT_START,
    },
    exceptions={"angular": "only the features are normalised; the class weights keep their free lengths"},
)


class L2Softmax(nn.Module):
    """L2-softmax with `weight` (C, D) and, if asked for, `bias` (C,) and `log_scale` ()."""

    progress: Tensor
    starting = False

    def __init__(
        self,
        num_classes: int,
        feature_dim: int,
        *,
        scale: float = 16.0,
        learnable: bool = False,
        bias: bool = False,
        soft_start: float = 0.3,
    ) -> None:
        super().__init__()
        chosen = SPEC.resolve(
            num_classes, feature_dim, scale=scale, learnable=learnable, bias=bias, soft_start=soft_start
        )
        self.fixed_scale = float(chosen["scale"])
        self.soft_start = float(chosen["soft_start"])
        self.weight = class_weight(num_classes, feature_dim)
        self.bias = nn.Parameter(torch.zeros(num_classes)) if chosen["bias"] else None
        start = torch.tensor(math.log(self.fixed_scale))
        self.log_scale = nn.Parameter(start) if chosen["learnable"] else None
        self.register_buffer("progress", torch.ones(()))

    @property
    def scale(self) -> float | Tensor:
        """The length s in force: fixed, or learned so far."""
        return self.fixed_scale if self.log_scale is None else self.log_scale.exp()

    @full_precision
    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (B, D) and labels (B,) to the mean cross-entropy."""
        radius, _ = soft_start(self, features, self.scale)
        scores = F.linear(radius * normalize(features), self.weight, self.bias)
        return F.cross_entropy(scores, labels)

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Class scores (B, C) of the features at length s."""
        return F.linear(self.scale * normalize(features), self.weight, self.bias)
