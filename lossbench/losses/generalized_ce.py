"""Generalized cross-entropy: between cross-entropy and the absolute error, to resist wrong labels.

    L = 1/B sum_i (1 - p_i^q) / q,  p_i = softmax(W x_i + b)_{y_i}               (Zhang & Sabuncu 2018)

The gradient is that of cross-entropy times p^q: a sample that looks wrong, perhaps by its label, hardly
pulls. q = 0 stands for the limit, cross-entropy; q = 1 is half the absolute error to the one-hot target.

Departures from the paper: the truncated form, which drops the samples with p < k, is left out, because it
needs a state for each sample of the training set. Read: the abstract, a review that states the equation, and
others' code: TruncatedLoss.py of AlanChou/Truncated-Loss (q = 0.7) and Keras. No code of the authors was
found, and equation numbers are not verified. pytorch-metric-learning has no counterpart.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..specs import FIXED, LossSpec, setting
from ._geometry import reduce
from ._linear import LinearLoss


class GeneralizedCE(LinearLoss):
    """Generalized cross-entropy with class weights `weight` (C, D) and, unless switched off, `bias` (C,)."""

    SPEC = LossSpec(
        title="Generalized CE",
        summary="Cross-entropy that trusts a label less the less likely it looks.",
        paper="Zhang & Sabuncu, Generalized Cross Entropy Loss, NeurIPS 2018, arXiv 1805.07836",
        equation="L = (1 - p_y^q) / q,  p = softmax(W x + b)",
        kind="classifier",
    )
    q: float = setting(0.7, "0: cross-entropy, 1: absolute error", ge=0, le=1, sweep="0:1:lin:6", paper="0.7")
    bias: bool = setting(True, "add a bias to the class scores", paper="true")
    fixed: bool = FIXED

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """(1 - p^q) / q."""
        cross_entropy = F.cross_entropy(self.logits(features), labels, reduction="none")
        # p^q = exp(-q CE), without cancellation at p = 1
        values = -torch.expm1(-self.q * cross_entropy) / self.q if self.q else cross_entropy
        return reduce(values, reduction)
