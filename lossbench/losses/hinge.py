"""Multi-class hinge loss: the own score must beat every other by a margin, and then nothing pulls any more.

    crammer-singer:  L = 1/B sum_i [delta + max_{j != y} f_ij - f_iy]_+      (Crammer & Singer 2001)
    weston-watkins:  L = 1/B sum_i sum_{j != y} [delta + f_ij - f_iy]_+      (Weston & Watkins 1999)

with f = W x + b and [a]_+ = max(0, a); `squared` squares each bracket (L2-SVM, Tang 2013, arXiv
1306.0239). In the plane: rays whose points stop near the margin instead of running outwards.

Departures from the papers: the regulariser ||W||^2 is left to the optimiser's weight decay; no bias by
default, as for softmax. Weston-Watkins is the sum over the other classes, where torch's MultiMarginLoss
divides by C. pytorch-metric-learning has no counterpart.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import HyperParameter, LossSpec
from ._geometry import class_weight, full_precision, is_target

SPEC = LossSpec(
    title="Hinge",
    summary="Multi-class support vector machine: only violated margins pull.",
    paper="Crammer & Singer, JMLR 2 (2001) 265-292; Weston & Watkins, ESANN 1999",
    equation="L = sum_(j != y) [delta + f_j - f_y]_+  or  [delta + max_(j != y) f_j - f_y]_+",
    kind="classifier",
    tags=("margin", "no-probabilities"),
    settings={
        "form": HyperParameter(
            default="weston-watkins",
            choices=("crammer-singer", "weston-watkins"),
            help="the strongest rival alone, or all rivals",
        ),
        "delta": HyperParameter(
            default=1.0, low=0, low_open=True, help="margin between scores", sweep="0.5:8:log:5", paper="1"
        ),
        "squared": HyperParameter(default=False, help="square each violation", paper="false"),
        "bias": HyperParameter(default=False, help="add a bias to the class scores", paper="true"),
    },
)


class Hinge(nn.Module):
    """Multi-class hinge loss with class weights `weight` (C, D) and, if asked for, `bias` (C,)."""

    def __init__(
        self,
        num_classes: int,
        feature_dim: int,
        *,
        form: str = "weston-watkins",
        delta: float = 1.0,
        squared: bool = False,
        bias: bool = False,
    ) -> None:
        super().__init__()
        chosen = SPEC.resolve(num_classes, feature_dim, form=form, delta=delta, squared=squared, bias=bias)
        self.form, self.delta, self.squared = chosen["form"], float(chosen["delta"]), bool(chosen["squared"])
        self.weight = class_weight(num_classes, feature_dim)
        self.bias = nn.Parameter(torch.zeros(num_classes)) if chosen["bias"] else None

    @full_precision
    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (B, D) and labels (B,) to the mean violation of the margins."""
        scores = self.logits(features)
        violations = F.relu(scores - scores.gather(1, labels.unsqueeze(-1)) + self.delta)
        violations = violations.masked_fill(is_target(scores, labels), 0)
        if self.squared:
            violations = violations.square()
        # no violation is negative, so the largest one is also the bracket of the largest rival
        per_sample = violations.amax(-1) if self.form == "crammer-singer" else violations.sum(-1)
        return per_sample.mean()

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Class scores (B, C)."""
        return F.linear(features, self.weight, self.bias)
