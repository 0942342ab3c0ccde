"""GCPL (convolutional prototype learning): softmax over minus the squared distances to learned prototypes.

    L = 1/B sum_i -log sum_k p_{y_i k} + lambda 1/2 min_k |x_i - c_{y_i k}|^2
    p_jk = exp(-|x - c_jk|^2 / T) / sum_lm exp(-|x - c_lm|^2 / T)                      (Yang et al. 2018)

The second term keeps features near their prototype, so that unknown samples are far from all. In the plane:
ten rays that begin beyond the prototypes; a lambda of 0.001 does not gather them there. With T = 2 and one
prototype this is L-GM without margin.

Departures from the paper: prototypes start like class weights, in the released code at 0 or at the class
means. Read: functions.py of YangHM/Convolutional-Prototype-Learning (dce_loss, pl_loss; tau = 1/T); equation
numbers not verified.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..specs import LossSpec, setting
from ._geometry import class_weight, full_precision, is_target, reduce, squared_distances
from ._loss import SampleLoss


class GCPL(SampleLoss):
    """GCPL with the trained prototypes `centers` (C*K, D), row j*K + k being prototype k of class j."""

    SPEC = LossSpec(
        title="GCPL",
        summary="Softmax of distances to learned prototypes: ten rays.",
        paper="Yang et al., Robust Classification with Convolutional Prototype Learning, CVPR 2018, "
        "arXiv 1805.03438",
        equation="L = CE(-|x - c|^2 / T, y) + lambda |x - c_y|^2 / 2",
        kind="classifier",
    )
    temperature: float = setting(1.0, "T, divides squared distances", gt=0, sweep="0.1:10:log:5", paper="1")
    lam: float = setting(0.001, "weight of the prototype loss", ge=0, sweep="1e-4:1:log:5", paper="0.001")
    prototypes: int = setting(1, "prototypes K per class", ge=1, sweep="1:5:lin:5", paper="1")

    def __post_init__(self) -> None:
        self.centers = class_weight(self.num_classes * self.prototypes, self.feature_dim)

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """The distance-based cross-entropy plus lambda times the prototype loss."""
        squares = self._squares(features)
        scores = torch.logsumexp(-squares / self.temperature, -1)
        nearest = squares.amin(-1).masked_fill(~is_target(scores, labels), 0).sum(-1)
        cross_entropy = F.cross_entropy(scores, labels, reduction=reduction)
        return cross_entropy + self.lam / 2 * reduce(nearest, reduction)

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Class scores (B, C): the logarithms of sum_k exp(-|x - c_jk|^2 / T)."""
        return torch.logsumexp(-self._squares(features) / self.temperature, -1)

    def _squares(self, features: Tensor) -> Tensor:
        """Squared distances (B, C, K) to the prototypes."""
        squares = squared_distances(features, self.centers)
        return squares.view(*squares.shape[:-1], self.num_classes, self.prototypes)
