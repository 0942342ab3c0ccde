"""Label smoothing: cross-entropy against targets that keep a little probability for every other class.

    L = 1/B sum_i sum_j -q_ij log p_ij,  q_ij = (1 - eps) [j = y_i] + eps / C,  p_i = softmax(W x_i + b)

(Szegedy et al. 2016, section 7, number not verified.) A feature gains nothing from growing without bound. In
the plane the ten rays of softmax therefore become short and their ends compact (Mueller et al. 2019, arXiv
1906.02629, fig. 1).

Departures from the paper: none; eps / C also goes to the own class, as in the paper. The bias is on by
default: bounded scores leave room for a class in the middle of the others, which only a bias can tell apart
there. Without one, MNIST in the plane loses one whole class (90 %). With smoothing = 0 it is softmax.
pytorch-metric-learning has no counterpart; torch's own is called.
"""

import torch.nn.functional as F
from torch import Tensor

from ..specs import FIXED, LossSpec, setting
from ._linear import LinearLoss


class LabelSmoothing(LinearLoss):
    """Softmax with smoothed targets; class weights `weight` (C, D), and `bias` (C,) unless switched off."""

    SPEC = LossSpec(
        title="Label smoothing",
        summary="Softmax against softened targets: short rays with compact ends.",
        paper="Szegedy et al., Rethinking the Inception Architecture, CVPR 2016, arXiv 1512.00567, section 7 "
        "(number not verified)",
        equation="L = -sum_j q_j log p_j,  q_j = (1 - eps) [j = y] + eps / C",
        kind="classifier",
    )
    smoothing: float = setting(
        0.1, "probability eps that is spread over all classes", ge=0, lt=1, sweep="0:0.4:lin:5", paper="0.1"
    )
    fixed: bool = FIXED
    bias: bool = setting(True, "add a bias to the class scores", paper="true")

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """The cross-entropy with the smoothed targets."""
        return F.cross_entropy(
            self.logits(features), labels, reduction=reduction, label_smoothing=self.smoothing
        )
