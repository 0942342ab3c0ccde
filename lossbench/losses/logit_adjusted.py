"""Logit-adjusted cross-entropy: in training, rare classes get lower scores, so that they learn higher ones.

    L = 1/B sum_i CE(f_i + tau ln pi, y_i),  f = W x,  pi_j = n_j / sum_k n_k          (Menon et al. 2021)

n_j are the training samples of class j. Classification uses f alone, which then is right for classes that
are equally likely (balanced error). With equal counts it is softmax. In the plane: ten rays.

Departures from the paper: none; ln pi is taken up to a constant, which the cross-entropy does not see.
Read: logit_adjustment/utils.py and main.py of google-research/google-research; equation numbers not
verified. pytorch-metric-learning has no counterpart.
"""

import torch.nn.functional as F
from torch import Tensor

from ..specs import CLASS_COUNTS, FIXED, LossSpec, setting
from ._linear import LinearLoss


class LogitAdjusted(LinearLoss):
    """Logit-adjusted softmax with `weight` (C, D), `counts` (C,) and, if asked for, `bias` (C,)."""

    SPEC = LossSpec(
        title="Logit-adjusted",
        summary="Softmax that corrects for unequal class sizes: ten rays.",
        paper="Menon et al., Long-Tail Learning via Logit Adjustment, ICLR 2021, arXiv 2007.07314",
        equation="L = CE(f + tau ln pi, y),  f = W x,  pi_j the share of class j",
        kind="classifier",
    )
    tau: float = setting(1.0, "factor of the log shares", ge=0, sweep="0:2:lin:5", paper="1")
    bias: bool = setting(False, "add a bias to the class scores", paper="true")
    fixed: bool = FIXED
    counts: Tensor = CLASS_COUNTS

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """The cross-entropy of the adjusted scores."""
        adjustment = self.tau * (self.counts / self.counts.max()).log()
        return F.cross_entropy(self.logits(features) + adjustment, labels, reduction=reduction)
