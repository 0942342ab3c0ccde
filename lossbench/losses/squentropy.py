"""Squentropy: cross-entropy plus the mean of the squares of the other classes' scores.

    L = 1/B sum_i CE(f_i, y_i) + lambda_s / (C - 1) sum_{j != y_i} f_ij^2,  f = W x + b   (Hui et al. 2023)

The squares keep the scores of the other classes near zero, the cross-entropy raises the own one. In the
plane: blobs, two of which may lie near the origin. squares = 0 is softmax.

Departures from the paper: `squares` (lambda_s), 1 there, is 0.01 where D < C - 1, because D + 1 numbers
cannot hold C - 1 scores near zero. With 1, training on MNIST in the plane reached 31.8 % of the validation
images, with 0.01 98.9 % of the test images (one run each). Read: the abstract and introduction (arXiv
2302.03952), and the authors' code: main.py of Like-Hui/Squentropy-for-classification and svhn.py of
Like-Hui/Squentropy_vision, whose factor of the squares is an option. Equation numbers not verified.
pytorch-metric-learning has no counterpart.
"""

import torch.nn.functional as F
from torch import Tensor

from ..specs import FIXED, LossSpec, setting
from ._geometry import is_target, reduce
from ._linear import LinearLoss


class Squentropy(LinearLoss):
    """Squentropy with class weights `weight` (C, D) and, unless switched off, `bias` (C,)."""

    SPEC = LossSpec(
        title="Squentropy",
        summary="Cross-entropy plus the squares of the other scores: blobs.",
        paper="Hui, Belkin, Wright, Cut your Losses with Squentropy, ICML 2023, arXiv 2302.03952",
        equation="L = CE(f, y) + lambda_s / (C - 1) sum_(j != y) f_j^2,  f = W x + b",
        kind="classifier",
    )
    squares: float = setting(
        lambda classes, dim: 1.0 if dim >= classes - 1 else 0.01,
        "weight lambda_s of the squares",
        ge=0,
        sweep="1e-3:1:log:4",
        paper="1",
    )
    bias: bool = setting(True, "add a bias to the class scores", paper="true")
    fixed: bool = FIXED

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """Cross-entropy plus the weighted mean square of the other scores."""
        scores = self.logits(features)
        others = scores.masked_fill(is_target(scores, labels), 0).square().sum(-1)
        squares = others / max(self.num_classes - 1, 1)
        cross_entropy = F.cross_entropy(scores, labels, reduction=reduction)
        return cross_entropy + self.squares * reduce(squares, reduction)
