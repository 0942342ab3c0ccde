"""Triplet loss: a sample is nearer to its own class than to any other, by a margin.

    l(a, p, n) = [D_ap - D_an + m]_+                        (Schroff et al. 2015, arXiv 1503.03832, eq. 2)
    l(a, p, n) = log(1 + exp(D_ap - D_an)),  no margin      (`soft`; Hermans et al. 2017, arXiv 1703.07737)

D is the Euclidean distance of the features as they are (Hermans et al.); `squared` and `normalized` give
FaceNet's squared distance of unit vectors. `mining` chooses the triplets of the batch:
all        every valid (a, p, n): "batch all"
semi-hard  every (a, p, n) with D_ap <= D_an < D_ap + m (FaceNet, eq. 4), not one for each (a, p)
hard       per anchor its farthest positive and nearest negative: "batch hard"
easy       per anchor its nearest positive and nearest negative (Xuan et al. 2020, arXiv 1904.04370)
random     per anchor one positive and one negative, drawn from torch's generator
`reduction` is the mean over all chosen triplets or over those with a loss (the default: the satisfied
ones do not dilute it). In the plane: ten blobs, a margin apart.

Departures from the papers: an anchor without a positive or a negative is left out. From
pytorch-metric-learning: the soft form has no margin; sums over all triplets come from sorted distances,
O(B^2 log B). The soft sum is streamed (memory O(B^2), time O(B^3)) and has no second derivative.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..contracts import HyperParameter, LossSpec, Value
from ..geometry import full_precision, masked_mean, normalize, other_class, pair_distances, same_class

SPEC = LossSpec(
    title="Triplet",
    summary="Own class nearer than the others by a margin: separate blobs.",
    paper="Schroff et al., FaceNet, CVPR 2015, arXiv 1503.03832; Hermans et al. 2017, arXiv 1703.07737",
    equation="L = [D_ap - D_an + m]_+",
    kind="pairs",
    sampler="balanced",
    tags=("distance", "margin"),
    settings={
        "mining": HyperParameter(
            default="all",
            choices=("all", "hard", "semi-hard", "easy", "random"),
            help="which triplets of the batch count",
            paper="semi-hard (FaceNet), hard (Hermans et al.)",
        ),
        "margin": HyperParameter(
            default=1.0, low=0, help="distance m", sweep="0.2:5:log:5", paper="0.2 (FaceNet's distance)"
        ),
        "soft": HyperParameter(default=False, help="log(1 + exp), no margin", paper="true (Hermans et al.)"),
        "squared": HyperParameter(default=False, help="squared distances", paper="true (FaceNet)"),
        "normalized": HyperParameter(default=False, help="features at unit length", paper="true (FaceNet)"),
        "reduction": HyperParameter(
            default="nonzero",
            choices=("all", "nonzero"),
            help="mean over all chosen triplets or those with a loss",
        ),
    },
)
_STREAMED = 2**20  # triplets at a time: 4 MB a temporary, which stay in the cache


class Triplet(nn.Module):
    """Triplet loss without state; every form needs two samples of one class and one of another."""

    def __init__(
        self,
        num_classes: int,
        feature_dim: int,
        *,
        mining: str = "all",
        margin: float = 1.0,
        soft: bool = False,
        squared: bool = False,
        normalized: bool = False,
        reduction: str = "nonzero",
    ) -> None:
        super().__init__()
        given: dict[str, Value] = {"mining": mining, "margin": margin, "soft": soft, "squared": squared}
        chosen = SPEC.resolve(num_classes, feature_dim, **given, normalized=normalized, reduction=reduction)
        self.mining, self.reduction = str(chosen["mining"]), str(chosen["reduction"])
        self.margin, self.soft = float(chosen["margin"]), bool(chosen["soft"])
        self.squared, self.normalized = bool(chosen["squared"]), bool(chosen["normalized"])

    @full_precision
    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (B, D) and labels (B,) to the mean over the chosen triplets."""
        distance = pair_distances(normalize(features) if self.normalized else features)
        if self.squared:
            distance = distance.square()
        positive, negative = same_class(labels), other_class(labels)
        if self.mining in ("hard", "easy", "random"):
            return self._one_per_anchor(distance, positive, negative)
        return (self._all_soft if self.soft else self._all_hinge)(distance, positive, negative)

    def _one_per_anchor(self, distance: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        fixed = distance.detach()
        near, far = -fixed, -fixed if self.mining == "easy" else fixed
        if self.mining == "random":
            near = far = torch.rand(distance.shape, device=distance.device)
        pull = distance.gather(1, far.masked_fill(~positive, -torch.inf).argmax(1, keepdim=True))
        push = distance.gather(1, near.masked_fill(~negative, -torch.inf).argmax(1, keepdim=True))
        values = (F.softplus(pull - push) if self.soft else F.relu(pull - push + self.margin)).squeeze(1)
        usable = positive.any(1) & negative.any(1)
        return masked_mean(values, usable & (values > 0) if self.reduction == "nonzero" else usable)

    def _all_hinge(self, distance: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        # the sum over the triplets with a loss is linear: each distance times how many of them it is in
        times, count = self._shares(distance, positive, negative)
        chosen = count
        if (self.reduction, self.mining) == ("all", "all"):
            chosen = (positive.sum(1) * negative.sum(1)).sum()
        return ((times * distance).sum() + self.margin * count) / chosen.clamp(min=1)

    @torch.no_grad()
    def _shares(self, distance: Tensor, positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
        """How often each distance is D_ap (> 0) or D_an (< 0) of a triplet with a loss; their number."""
        # one step up, so that a negative exactly at the margin (a loss of 0) sorts behind its positive
        rivals = torch.nextafter(distance, torch.full_like(distance, torch.inf))
        times = _crossings(torch.where(negative, rivals, distance + self.margin), positive, negative)
        if self.mining == "semi-hard":
            times = times - _crossings(torch.where(negative, rivals, distance), positive, negative)
        return times, F.relu(times).sum()

    def _all_soft(self, distance: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        fixed, window = distance.detach(), self.mining == "semi-hard"
        pulls, pushes = fixed.masked_fill(~positive, -torch.inf), fixed.masked_fill(~negative, torch.inf)
        rows = max(1, _STREAMED // len(distance) ** 2)
        total, slopes = fixed.new_zeros(()), []
        for pull, push in zip(torch.split(pulls, rows), torch.split(pushes, rows), strict=True):
            gap = pull.unsqueeze(2) - push.unsqueeze(1)  # -inf where (a, p, n) is no triplet
            if window:
                gap = gap.masked_fill((gap > 0) | (gap <= -self.margin), -torch.inf)
            total = total + F.softplus(gap).sum()
            slope = gap.sigmoid()
            slopes.append(slope.sum(2) - slope.sum(1))
        valid = (positive.sum(1) * negative.sum(1)).sum()
        chosen = self._shares(distance, positive, negative)[1] if window else valid
        # value and gradient are both known: a term that is 0 hands the gradient to autograd
        return (total + (torch.cat(slopes) * (distance - fixed)).sum()) / chosen.clamp(min=1)


def _crossings(keys: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """Per row: for a positive the negatives with a smaller key; for a negative, less the positives above."""
    order = keys.sort(1).indices
    own, other = positive.gather(1, order), negative.gather(1, order)
    below = other.cumsum(1, dtype=torch.int32)
    above = own.sum(1, keepdim=True) - own.cumsum(1, dtype=torch.int32)
    return torch.zeros_like(keys).scatter(1, order, (own * below - other * above).to(keys.dtype))
