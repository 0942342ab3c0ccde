"""Contrastive-center loss: near to the own center, measured against the distance to all others.

    L = 1/(2B) sum_i |x_i - c_{y_i}|^2 / (sum_{j != y_i} |x_i - c_j|^2 + delta)          (Qi & Su 2017)

Used as softmax + lambda * contrastive-center. The centers are the parameter `centers` (C, D), trained by
the gradient of this loss like any weight. In the plane: compact blobs that keep their distance.

Departures from the paper: the mean over the batch where the paper writes a sum. The centers start uniform
in +-sqrt(3/D), as lossbench's center loss does. The value is a ratio, so it does not change with the size
of the feature space (delta aside) and is about 1/(2C - 2) for features that know nothing: lambda is
larger than that of the center loss by orders of magnitude.
"""

from torch import Tensor, nn

from ..specs import LossSpec, setting
from ._geometry import is_target, random_centers, reduce, squared_distances
from ._loss import SampleLoss


class ContrastiveCenter(SampleLoss):
    """Contrastive-center term; its centers are the parameter `centers` (C, D)."""

    SPEC = LossSpec(
        title="Contrastive-Center",
        summary="Distance to the own center over the distances to all others: compact blobs.",
        paper="Qi and Su, Contrastive-Center Loss for Deep Neural Networks, ICIP 2017, arXiv 1707.07391",
        equation="L = 1/2 |x - c_y|^2 / (sum_(j != y) |x - c_j|^2 + delta)",
        kind="auxiliary",
        weight=setting(
            1.0, "weight of the contrastive-center term beside softmax", ge=0, sweep="0.1:100:log:4"
        ),
    )
    delta: float = setting(1.0, "keeps the denominator from zero", gt=0, sweep="0.01:100:log:5", paper="1")

    def __post_init__(self) -> None:
        self.centers = nn.Parameter(random_centers(self.num_classes, self.feature_dim))

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """Half the ratio of squared distances."""
        squared = squared_distances(features, self.centers)
        target_mask = is_target(squared, labels)
        near = squared.masked_fill(~target_mask, 0).sum(1)
        far = squared.masked_fill(target_mask, 0).sum(1)
        return reduce(near / (far + self.delta), reduction) / 2
