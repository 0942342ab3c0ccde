"""Softmax cross-entropy on linear class scores.

    L = 1/B sum_i CE(W x_i + b, y_i)          (Wen et al. 2016, eq. 1)

In the plane the features become ten rays from the origin. Without a bias, as in the center-loss authors'
released network, all classes point outwards; with one, a class can collapse to the origin and be told apart
by its bias alone (NormFace, Fig. 3), so the bias is off by default.
"""

import torch.nn.functional as F
from torch import Tensor

from ..specs import FIXED, LossSpec, setting
from ._linear import LinearLoss


class Softmax(LinearLoss):
    """Softmax loss with its own class weights `weight` (C, D) and, if asked for, `bias` (C,)."""

    SPEC = LossSpec(
        title="Softmax",
        summary="Cross-entropy of linear class scores: ten rays.",
        paper="Wen et al., A Discriminative Feature Learning Approach (center loss), ECCV 2016, eq. 1",
        equation="L = CE(W x + b, y)",
        kind="classifier",
        aliases=("cross-entropy", "ce"),
    )
    bias: bool = setting(False, "add a bias to the class scores", paper="false (released network)")
    fixed: bool = FIXED

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """The cross-entropy."""
        return F.cross_entropy(self.logits(features), labels, reduction=reduction)
