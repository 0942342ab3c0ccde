"""Center loss: pulls each feature towards the centre of its class.

    L_C = 1/(2B) sum_i ||x_i - c_{y_i}||^2                                      (Wen et al. 2016, eq. 2)
    dc_j = sum_i [y_i = j] (c_j - x_i) / (1 + n_j),   c_j <- c_j - alpha dc_j   (eq. 4)

Used as softmax + lambda * center. The centres are no parameters: they move in the forward pass of
training, after the value is computed, by the rule above, whatever lambda, the optimiser, its learning
rate or weight decay are. In the plane: ten compact blobs.

Departures from the paper: the value is the mean over the batch where the paper writes a sum, as is
the softmax term, so lambda keeps its meaning. The centres start uniform in +-sqrt(3/D), as the authors'
released network does (Caffe's "xavier").
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..specs import HyperParameter, LossSpec
from ._geometry import class_sums, full_precision

SPEC = LossSpec(
    title="Center",
    summary="Pulls features to moving class centres: compact blobs.",
    paper="Wen et al., A Discriminative Feature Learning Approach (center loss), ECCV 2016, eqs. 2-4",
    equation="L = 1/2 ||x - c_y||^2,  c_j <- c_j - alpha sum_(y=j) (c_j - x) / (1 + n_j)",
    kind="auxiliary",
    weight=HyperParameter(
        default=0.003,
        low=0,
        help="weight of the center term beside softmax",
        sweep="1e-4:1:log:5",
        paper="0.003 (faces)",
    ),
    settings={
        "alpha": HyperParameter(
            default=0.5,
            low=0,
            low_open=True,
            high=1,
            help="rate of the centre updates",
            sweep="0.1:0.9:lin:5",
            paper="0.5",
        ),
    },
)


class Center(nn.Module):
    """Center term with the buffer `centers` (C, D); alpha in (0, 1] is the rate of its updates."""

    centers: Tensor

    def __init__(self, num_classes: int, feature_dim: int, *, alpha: float = 0.5) -> None:
        super().__init__()
        chosen = SPEC.resolve(num_classes, feature_dim, alpha=alpha)
        self.alpha = float(chosen["alpha"])
        bound = (3 / feature_dim) ** 0.5
        centers = torch.empty(num_classes, feature_dim).uniform_(-bound, bound)
        self.register_buffer("centers", centers)

    @full_precision
    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (B, D) and labels (B,) to half the mean squared distance to the own centre."""
        # clone: the centres move below, and backward still needs the ones that the value was taken with
        value = (features - self.centers.clone()[labels]).square().sum(-1).mean() / 2
        if self.training:
            self._move_centers(features.detach(), labels)
        return value

    @torch.no_grad()
    def _move_centers(self, features: Tensor, labels: Tensor) -> None:
        sums, counts = class_sums(features, labels, len(self.centers))
        self.centers -= self.alpha * (counts * self.centers - sums) / (1 + counts)
