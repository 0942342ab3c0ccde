"""Triplet loss: a sample is nearer to its own class than to any other, by a margin.

    l(a, p, n) = [D_ap - D_an + m]_+
                                                          (Schroff et al. 2015, arXiv 1503.03832, eq. 3)
    l(a, p, n) = log(1 + exp(D_ap - D_an)),  no margin
                                                         (`soft`; Hermans et al. 2017, arXiv 1703.07737)

D is the Euclidean distance of the features as they are (Hermans et al.); `squared` and `normalized` give
FaceNet's squared distance of unit vectors. `mining` chooses the triplets of the batch:

all        every valid (a, p, n): "batch all"
semi-hard  every (a, p, n) with D_ap <= D_an < D_ap + m (FaceNet, eq. 4: strict <), not one for each (a, p)
hard       per anchor its farthest positive and nearest negative: "batch hard"
easy       per anchor its nearest positive and nearest negative (Xuan et al. 2020, arXiv 1904.04370)
random     per anchor one positive and one negative, drawn from torch's generator

`reduction` is the mean over all chosen triplets or over those with a loss (the default: the satisfied
ones do not dilute it). In the plane: ten blobs, a margin apart.

Departures from the papers: an anchor without a positive or a negative is left out. From
pytorch-metric-learning: the soft form has no margin; sums over all triplets come from distances sorted to
`_triplet_counts.resolution` in float32, O(B^2 log B), only the soft sum takes O(B^3).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..specs import LossSpec, setting
from ._geometry import masked_mean, normalize
from ._loss import Loss
from ._pairwise import LOG_ZERO, Block, distance_blocks, sum_over_distances, total, usable_anchors
from ._triplet_counts import violation_counts

_STREAMED = 2**20  # triplets at a time: 4 MB a temporary, which stay in the cache


class Triplet(Loss):
    """Triplet loss without state; every form needs two samples of one class and one of another."""

    SPEC = LossSpec(
        title="Triplet",
        summary="Own class nearer than the others by a margin: separate blobs.",
        paper="Schroff et al., FaceNet, CVPR 2015, arXiv 1503.03832; Hermans et al. 2017, arXiv 1703.07737",
        equation="L = [D_ap - D_an + m]_+",
        kind="pairs",
        sampler="balanced",
    )
    mining: str = setting(
        "all",
        "which triplets of the batch count",
        choices=("all", "hard", "semi-hard", "easy", "random"),
        paper="semi-hard (FaceNet), hard (Hermans et al.)",
    )
    margin: float = setting(1.0, "distance m", ge=0, sweep="0.2:5:log:5", paper="0.2 (FaceNet's distance)")
    soft: bool = setting(False, "log(1 + exp), no margin", paper="true (Hermans et al.)")
    squared: bool = setting(False, "squared distances", paper="true (FaceNet)")
    normalized: bool = setting(False, "features at unit length", paper="true (FaceNet)")
    reduction: str = setting(
        "nonzero", "mean over all chosen triplets or those with a loss", choices=("all", "nonzero")
    )

    def compute(self, features: Tensor, labels: Tensor) -> Tensor:
        """The mean over the chosen triplets."""
        features = normalize(features) if self.normalized else features
        return (self._all if self.mining in ("all", "semi-hard") else self._one_per_anchor)(features, labels)

    def _one_per_anchor(self, features: Tensor, labels: Tensor) -> Tensor:
        gaps = (features - features[mined] for mined in self._mine(features.detach(), labels))
        pull, push = (gap.square().sum(1) if self.squared else gap.norm(dim=1) for gap in gaps)
        values = F.softplus(pull - push) if self.soft else F.relu(pull - push + self.margin)
        usable = usable_anchors(labels)
        return masked_mean(values, usable & (values > 0) if self.reduction == "nonzero" else usable)

    @torch.no_grad()
    def _mine(self, features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Indices (B,) of each anchor's positive and negative; arbitrary where it has none."""
        size, positives, negatives = len(labels), [], []
        random_order = torch.rand(size, size, device=features.device) if self.mining == "random" else None
        for block in distance_blocks(features, labels):
            near, far = -block.pairs, -block.pairs if self.mining == "easy" else block.pairs
            if random_order is not None:
                near = far = random_order[block.rows]
            positives.append(torch.add(far, 1 - block.positive(), alpha=LOG_ZERO).argmax(1))
            negatives.append(torch.add(near, 1 - block.negative(), alpha=LOG_ZERO).argmax(1))
        return torch.cat(positives), torch.cat(negatives)

    def _all(self, features: Tensor, labels: Tensor) -> Tensor:
        counts: list[Tensor] = []
        divide_by_all = self.mining == "all" and (self.soft or self.reduction == "all")

        def terms(block: Block) -> tuple[Tensor, Tensor]:
            distance = block.pairs
            if self.squared:
                block = block._replace(pairs=distance.square())
            value, slopes, count = (self._soft if self.soft else self._hinge)(block)
            if divide_by_all:
                count = (block.positive().sum(1) * block.negative().sum(1)).sum()
            counts.append(count)
            return value, 2 * distance * slopes if self.squared else slopes

        return sum_over_distances(features, labels, terms) / total(counts).clamp(min=1)

    def _hinge(self, block: Block) -> tuple[Tensor, Tensor, Tensor]:
        # the sum over the triplets with a loss is linear: each distance times how many of them it is in
        times, count = self._shares(block)
        return torch.dot(times.flatten(), block.pairs.flatten()) + self.margin * count, times, count

    def _shares(self, block: Block) -> tuple[Tensor, Tensor]:
        """How often each distance is D_ap (> 0) or D_an (< 0) of a triplet with a loss (R, B); how many."""
        times, count = violation_counts(block, self.margin)
        if self.mining == "semi-hard":
            others, fewer = violation_counts(block, 0.0)
            return times - others, count - fewer
        return times, count

    def _soft(self, block: Block) -> tuple[Tensor, Tensor, Tensor]:
        pulls = block.pairs.masked_fill(block.positive() == 0, -torch.inf)
        pushes = block.pairs.masked_fill(block.negative() == 0, torch.inf)
        rows = max(1, _STREAMED // pulls.shape[1] ** 2)
        values, slopes = [], []
        for pull, push in zip(torch.split(pulls, rows), torch.split(pushes, rows), strict=True):
            gap = pull.unsqueeze(2) - push.unsqueeze(1)  # -inf where (a, p, n) is not a triplet
            if self.mining == "semi-hard":
                gap = gap.masked_fill((gap > 0) | (gap <= -self.margin), -torch.inf)
            values.append(F.softplus(gap).sum())
            slope = gap.sigmoid()
            slopes.append(slope.sum(2) - slope.sum(1))
        return total(values), torch.cat(slopes), self._shares(block)[1]
