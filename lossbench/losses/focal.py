"""Focal loss: cross-entropy in which well classified samples count less.

    L = 1/B sum_i -alpha (1 - p_i)^gamma log p_i,  p_i = softmax(W x_i)_{y_i}    (Lin et al. 2017, eqs. 4-5)

In the plane: the ten rays of softmax, shorter, because a sample that is right hardly pulls any more.

Departures from the paper: p is the softmax probability of the own class, where the paper has a sigmoid for
each class; alpha is one factor (1 for balanced classes), not a weight of positives. The factor belongs to
each sample and carries gradient (some public codes apply it to the batch mean, or detach it). gamma = 0,
alpha = 1 is softmax without bias. pytorch-metric-learning has no counterpart.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..specs import FIXED, LossSpec, setting
from ._geometry import reduce
from ._linear import LinearLoss


class Focal(LinearLoss):
    """Focal loss on softmax probabilities, with class weights `weight` (C, D)."""

    SPEC = LossSpec(
        title="Focal",
        summary="Cross-entropy that fades out for easy samples.",
        paper="Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, arXiv 1708.02002, eqs. 4-5",
        equation="L = -alpha (1 - p_y)^gamma log p_y,  p = softmax(W x)",
        kind="classifier",
    )
    gamma: float = setting(2.0, "how strongly easy samples fade", ge=0, sweep="0:4:lin:5", paper="2")
    fixed: bool = FIXED
    alpha: float = setting(1.0, "factor of the whole loss", gt=0, paper="0.25 (positives)")

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """The focal loss."""
        cross_entropy = F.cross_entropy(self.logits(features), labels, reduction="none")
        # 1 - p without cancellation; the floor, because p = 1 has an infinite slope where gamma < 1
        error = -torch.expm1(-cross_entropy).clamp(max=-torch.finfo(cross_entropy.dtype).tiny)
        return self.alpha * reduce(error**self.gamma * cross_entropy, reduction)
