"""Triplet-center loss: nearer to the own center than to the nearest other one, by a margin.

    L = 1/B sum_i [D(x_i, c_{y_i}) + m - min_{j != y_i} D(x_i, c_j)]_+,  D = |x - c|^2 / 2    (He et al. 2018)

Used as softmax + lambda * triplet-center. The centers are the parameter `centers` (C, D), trained by the
gradient of this loss like any weight. In the plane: ten rays, as of softmax; only features within the margin
of another center are pulled to their own.

Departures from the paper: the mean over the batch where it writes a sum; centers that start uniform in
+-sqrt(3/D). Read: the abstract (arXiv 1803.06189), two reviews, and misc/custom_loss.py of
xlliu7/Shrec2018_TripletCenterLoss.pytorch, a third party's code, which takes plain distances and the centers
of the batch only. The half squared distance is not verified in the paper's text, nor are equation numbers.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import LossSpec, setting
from ._geometry import is_target, random_centers, reduce, squared_distances
from ._loss import SampleLoss


class TripletCenter(SampleLoss):
    """Triplet-center term; its centers are the parameter `centers` (C, D)."""

    SPEC = LossSpec(
        title="Triplet-Center",
        summary="Nearer to the own center than to any other, by a margin: rays.",
        paper="He et al., Triplet-Center Loss for Multi-View Object Retrieval, CVPR 2018, arXiv 1803.06189",
        equation="L = [|x - c_y|^2 / 2 + m - min_(j != y) |x - c_j|^2 / 2]_+",
        kind="auxiliary",
        weight=setting(
            0.1, "weight of the triplet-center term beside softmax", ge=0, sweep="1e-3:1:log:4", paper="0.1"
        ),
    )
    margin: float = setting(5.0, "margin m of half squared distances", ge=0, sweep="1:20:log:5", paper="5")

    def __post_init__(self) -> None:
        self.centers = nn.Parameter(random_centers(self.num_classes, self.feature_dim))

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """The violation of the margin."""
        halves = squared_distances(features, self.centers) / 2
        target_mask = is_target(halves, labels)
        own = halves.masked_fill(~target_mask, 0).sum(-1)
        nearest = halves.masked_fill(target_mask, float("inf")).amin(-1)
        return reduce(F.relu(own + self.margin - nearest), reduction)
