"""Label smoothing: cross-entropy against targets that keep a little probability for every other class.

    L = 1/B sum_i sum_j -q_ij log p_ij,  q_ij = (1 - eps) [j = y_i] + eps / C,  p_i = softmax(W x_i + b)

(Szegedy et al. 2016, section 7.) A feature gains nothing from growing without bound, so in the plane the
ten rays of softmax become short and their ends compact (Mueller et al. 2019, arXiv 1906.02629, fig. 1).

Departures from the paper: none; eps / C also goes to the own class, as in the paper. The bias is on by
default: bounded scores leave room for a class in the middle of the others, which only a bias can tell
apart there (without one, MNIST in the plane loses one whole class: 90 %). smoothing = 0 is softmax.
pytorch-metric-learning has no counterpart; torch's own is called.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import HyperParameter, LossSpec
from ._geometry import class_weight, full_precision

SPEC = LossSpec(
    title="Label smoothing",
    summary="Softmax against softened targets: short rays with compact ends.",
    paper="Szegedy et al., Rethinking the Inception Architecture, CVPR 2016, arXiv 1512.00567, section 7",
    equation="L = -sum_j q_j log p_j,  q_j = (1 - eps) [j = y] + eps / C",
    kind="classifier",
    settings={
        "smoothing": HyperParameter(
            default=0.1,
            low=0,
            high=1,
            high_open=True,
            help="probability eps that is spread over all classes",
            sweep="0:0.4:lin:5",
            paper="0.1",
        ),
        "bias": HyperParameter(default=True, help="add a bias to the class scores", paper="true"),
    },
)


class LabelSmoothing(nn.Module):
    """Softmax with smoothed targets; class weights `weight` (C, D), and `bias` (C,) unless switched off."""

    def __init__(
        self, num_classes: int, feature_dim: int, *, smoothing: float = 0.1, bias: bool = True
    ) -> None:
        super().__init__()
        chosen = SPEC.resolve(num_classes, feature_dim, smoothing=smoothing, bias=bias)
        self.smoothing = float(chosen["smoothing"])
        self.weight = class_weight(num_classes, feature_dim)
        self.bias = nn.Parameter(torch.zeros(num_classes)) if chosen["bias"] else None

    @full_precision
    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (B, D) and labels (B,) to the mean cross-entropy with the smoothed targets."""
        return F.cross_entropy(self.logits(features), labels, label_smoothing=self.smoothing)

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Class scores (B, C)."""
        return F.linear(features, self.weight, self.bias)
