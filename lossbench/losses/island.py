"""Island loss: center loss whose centers also turn away from each other.

    L = L_C + lambda_1 sum_j sum_{k != j} (cos(c_j, c_k) + 1)
                                                                                (Cai et al. 2018, eq. 6)
    dc_j = sum_i [y_i = j] (c_j - x_i) / (1 + n_j)
         + lambda_1 / (C - 1) sum_{k != j} d cos(c_j, c_k) / d c_j,   c_j <- c_j - alpha dc_j
                                                                                             (eqs. 9-10)

Used as softmax + lambda * island, L_C the center loss. Features feel the pull to their center only; the
cosine term acts on the centers, which move in the forward pass of training, after the value is computed,
as in lossbench's center loss. In the plane: compact blobs around the origin. The cosine term is smallest for
any directions that cancel (two heaps of five classes reach the same value), so an even spread is not certain.

Departures from the paper: alpha is 0.5 as in the center loss, where the paper has 1 (footnote 1). L_C is
the mean over the batch where the paper writes a sum. The centers start uniform in +-sqrt(3/D). The cosine
term grows without bound for a center at the origin, so lengths below 1e-3 count as 1e-3 there.
"""

import torch
from torch import Tensor, nn

from ..specs import LossSpec, setting
from ._geometry import class_sums, normalize, random_centers
from ._loss import Loss

SHORTEST = 1e-3
"""A center this short still turns; at the origin its direction is undefined."""


class Island(Loss):
    """Island term with the buffer `centers` (C, D)."""

    SPEC = LossSpec(
        title="Island",
        summary="Center loss whose centers turn away from each other: blobs around the origin.",
        paper="Cai et al., Island Loss for Learning Discriminative Features in Facial Expression "
        "Recognition, FG 2018, arXiv 1710.03144, eqs. 6, 7, 9 and 10",
        equation="L = 1/2 |x - c_y|^2 + lambda_1 sum_j sum_(k != j) (cos(c_j, c_k) + 1)",
        kind="auxiliary",
        weight=setting(
            0.01, "weight of the island term beside softmax", ge=0, sweep="1e-4:1:log:5", paper="0.01"
        ),
    )
    alpha: float = setting(0.5, "rate of the center updates", gt=0, le=1, sweep="0.1:0.9:lin:5", paper="1")
    repulsion: float = setting(
        10.0, "weight lambda_1 of the cosines between centers", ge=0, sweep="0.1:100:log:4", paper="10"
    )

    def __post_init__(self) -> None:
        self.centers: Tensor = nn.Buffer(random_centers(self.num_classes, self.feature_dim))

    def compute(self, features: Tensor, labels: Tensor) -> Tensor:
        """The mean center term plus the cosine term."""
        # clone: the centers move below, and backward still needs the ones that the value was taken with
        compact = (features - self.centers.clone()[labels]).square().sum(-1).mean() / 2
        units = normalize(self.centers)
        # sum_{k != j} u_j . u_k = |sum_j u_j|^2 - sum_j |u_j|^2: no C x C matrix
        cosine_sum = units.sum(0).square().sum() - units.square().sum()
        classes = len(units)
        value = compact + self.repulsion * (cosine_sum + classes * (classes - 1))
        if self.training:
            self.move_state(value, centers=self._moved_centers(features.detach(), labels))
        return value

    def _moved_centers(self, features: Tensor, labels: Tensor) -> Tensor:
        sums, counts = class_sums(features, labels, len(self.centers))
        pull = (counts * self.centers - sums) / (1 + counts)
        lengths = torch.linalg.vector_norm(self.centers, dim=1, keepdim=True).clamp(min=SHORTEST)
        units = normalize(self.centers)
        rest = units.sum(0) - units
        # d cos(c_j, c_k) / d c_j is the part of u_k across u_j, divided by |c_j|
        turn = (rest - (rest * units).sum(1, keepdim=True) * units) / lengths
        step: Tensor = self.alpha * (pull + self.repulsion / max(len(units) - 1, 1) * turn)
        return self.centers - step
