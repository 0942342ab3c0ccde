"""Squared loss: class scores are fitted to a scaled one-hot target by least squares.

    L = 1/B sum_i 1/C [ k (f_iy - M)^2 + sum_{j != y} f_ij^2 ],  f = W x + b     (Hui & Belkin 2021)

on the raw linear scores, without softmax; k = M = 1 is the mean squared error to the one-hot target. In
the plane: ten compact spots, on a circle where k > 1. Ten scores of two numbers and a bias have rank 3 at
most, so for balanced classes and k = 1 the value cannot fall below (1 - 3/C) / C = 0.07: a loss that
stays there has converged. Any ten spots that are not on a line reach it, also one inside the others, which
no linear score can pick out; k > 1 makes such a class cost more, and a circle the cheapest.

Departure from the paper (read in secondary sources): k = C - 1 by default where D < C - 1, for that
reason (k = 1 otherwise). The bias is on, because the mean target is 1/C, not 0. pytorch-metric-learning
has no counterpart.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import HyperParameter, LossSpec
from ._geometry import class_weight, full_precision, is_target

SPEC = LossSpec(
    title="Squared",
    summary="Least squares to one-hot targets: spots on a circle.",
    paper="Hui & Belkin, Square Loss vs Cross-Entropy in Classification, ICLR 2021, arXiv 2006.07322",
    equation="L = 1/C [ k (f_y - M)^2 + sum_(j != y) f_j^2 ]",
    kind="classifier",
    tags=("no-probabilities",),
    exceptions={
        "separation": "the check sets own scores of 36, which overshoot the target of 1; see its own test"
    },
    settings={
        "k": HyperParameter(
            default=lambda classes, dim: 1.0 if dim >= classes - 1 else classes - 1.0,
            low=0,
            low_open=True,
            help="weight of the own class",
            sweep="1:16:log:5",
            paper="1",
        ),
        "target": HyperParameter(
            default=1.0, low=0, low_open=True, help="score M of the own class", paper="1 (few classes)"
        ),
        "bias": HyperParameter(default=True, help="add a bias to the class scores", paper="true"),
    },
)


class Squared(nn.Module):
    """Squared loss with class weights `weight` (C, D) and, unless switched off, `bias` (C,)."""

    def __init__(
        self,
        num_classes: int,
        feature_dim: int,
        *,
        k: float | None = None,
        target: float = 1.0,
        bias: bool = True,
    ) -> None:
        super().__init__()
        chosen = SPEC.resolve(num_classes, feature_dim, k=k, target=target, bias=bias)
        self.k, self.target = float(chosen["k"]), float(chosen["target"])
        self.weight = class_weight(num_classes, feature_dim)
        self.bias = nn.Parameter(torch.zeros(num_classes)) if chosen["bias"] else None

    @full_precision
    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (B, D) and labels (B,) to the mean over batch and classes of the squared errors."""
        scores = self.logits(features)
        own = is_target(scores, labels)
        return torch.where(own, self.k * (scores - self.target).square(), scores.square()).mean()

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Class scores (B, C)."""
        return F.linear(features, self.weight, self.bias)
