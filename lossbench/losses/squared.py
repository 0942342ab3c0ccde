"""Squared loss: class scores are fitted to a scaled one-hot target by least squares.

    L = 1/B sum_i 1/C [ k (f_iy - M)^2 + sum_{j != y} f_ij^2 ],  f = W x + b     (Hui & Belkin 2021)

on the raw linear scores, without softmax; k = M = 1 is the mean squared error to the one-hot target. In the
plane: ten compact spots, on a circle where k > 1. C scores of D numbers and a bias have rank D + 1 at most,
so for balanced classes and k = 1 the value cannot fall below (1 - (D + 1)/C) / C where D < C - 1: a loss
that stays there has converged. In the plane that is 0.07 for ten classes. In the plane any ten spots that
are not on a line reach it, also one inside the others, which no linear score can pick out; k > 1 makes such
a class cost more, and a circle the cheapest. In the plane a training may end with two neighbours on the
circle so close that linear scores confuse them, although the nearest class mean tells them apart: the
accuracy then depends on the seed, see results/LOG.md.

Departure from the paper (read in secondary sources): k = C - 1 by default where D < C - 1, for that
reason (k = 1 otherwise). The bias is on, because the mean target is 1/C, not 0. pytorch-metric-learning
has no counterpart.
"""

import torch
from torch import Tensor

from ..specs import FIXED, LossSpec, setting
from ._geometry import is_target, reduce
from ._linear import LinearLoss


class Squared(LinearLoss):
    """Squared loss with class weights `weight` (C, D) and, unless switched off, `bias` (C,)."""

    SPEC = LossSpec(
        title="Squared",
        summary="Least squares to one-hot targets: spots on a circle.",
        paper="Hui & Belkin, Square Loss vs Cross-Entropy in Classification, ICLR 2021, arXiv 2006.07322",
        equation="L = 1/C [ k (f_y - M)^2 + sum_(j != y) f_j^2 ]",
        kind="classifier",
        probabilities=False,
        exceptions={
            "separation": "the check sets own scores of 36, which overshoot the target of 1; see its own test"
        },
    )
    k: float = setting(
        lambda classes, dim: 1.0 if dim >= classes - 1 else classes - 1.0,
        "weight of the own class",
        gt=0,
        sweep="1:16:log:5",
        paper="1",
    )
    target: float = setting(1.0, "score M of the own class", gt=0, paper="1 (few classes)")
    bias: bool = setting(True, "add a bias to the class scores", paper="true")
    fixed: bool = FIXED

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """The mean over the classes of the squared errors."""
        scores = self.logits(features)
        target_mask = is_target(scores, labels)
        errors = torch.where(target_mask, self.k * (scores - self.target).square(), scores.square())
        return reduce(errors, reduction)
