"""Poly-1: cross-entropy with another weight of the first term of its expansion in 1 - p.

    L = 1/B sum_i -log p_i + epsilon (1 - p_i),  p_i = softmax(W x_i)_{y_i}          (Leng et al. 2022)

-log p is the series sum_k (1 - p)^k / k; the loss changes its first coefficient from 1 to 1 + epsilon. With
epsilon > 0 a sample that is almost right still pulls, so features become longer than under softmax.

Departures from the paper: none. epsilon = 0 is softmax. Read: its introduction (arXiv 2204.12511), notes on
it, and the tests of optax, whose values are those of the code printed in the paper; equation numbers not
verified. pytorch-metric-learning has no counterpart.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..specs import FIXED, LossSpec, setting
from ._geometry import reduce
from ._linear import LinearLoss


class Poly1(LinearLoss):
    """Poly-1 with class weights `weight` (C, D) and, if asked for, `bias` (C,)."""

    SPEC = LossSpec(
        title="Poly-1",
        summary="Cross-entropy plus a linear term in the probability: long rays.",
        paper="Leng et al., PolyLoss, ICLR 2022, arXiv 2204.12511",
        equation="L = -log p_y + epsilon (1 - p_y),  p = softmax(W x)",
        kind="classifier",
    )
    epsilon: float = setting(
        1.0, "weight of 1 - p beside the cross-entropy", ge=-1, sweep="-1:4:lin:6", paper="2 (ImageNet)"
    )
    bias: bool = setting(False, "add a bias to the class scores", paper="true")
    fixed: bool = FIXED

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """Cross-entropy plus epsilon (1 - p)."""
        cross_entropy = F.cross_entropy(self.logits(features), labels, reduction="none")
        # 1 - p without cancellation
        return reduce(cross_entropy - self.epsilon * torch.expm1(-cross_entropy), reduction)
