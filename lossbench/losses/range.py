"""Range loss: shrinks the longest distances within a class and spreads the two closest class means.

    L = intra * mean_j k / sum_{r <= k} 1 / D_r(j)  +  inter * [M - min_{p != q} |xbar_p - xbar_q|^2]_+
                                            (Zhang et al. 2017, eqs. 4-8, equation numbers not verified)

D_1(j) >= ... >= D_k(j) are the k largest squared distances between samples of class j, xbar_p the mean of
class p in the batch. Used as softmax + lambda * range on balanced batches, K >= 3 samples per class. In
the plane: compact blobs, gathered by their outliers.

Departures from the paper: the intra term is the mean over the classes that have a pair, not their sum, so
that its weight does not depend on P; a class with fewer than k pairs uses those it has; 1e-8 is added to D,
because identical samples would divide by zero. A third party's Caffe port, not the authors' code, has
weights and M for 512-D face features (M = 20,000); the defaults here were chosen for two dimensions.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..specs import LossSpec, setting
from ._geometry import class_sums, squared_distances
from ._loss import Loss

EPSILON = 1e-8


class Range(Loss):
    """Range term; it has no state, its centers are the class means of the batch."""

    SPEC = LossSpec(
        title="Range",
        summary="Shrinks the extremes of each class and spreads the closest class means: blobs.",
        paper="Zhang et al., Range Loss for Deep Face Recognition with Long-tailed Training Data, ICCV 2017, "
        "arXiv 1611.08976, eqs. 4-8 (equation numbers not verified)",
        equation="L = a mean_j k / sum_(r<=k) 1/D_r(j) + b [M - min_(p != q) |xbar_p - xbar_q|^2]_+",
        kind="auxiliary",
        sampler="balanced",
        weight=setting(
            1.0, "weight of the range term beside softmax", ge=0, sweep="0.01:10:log:4", paper="1"
        ),
    )
    k: int = setting(2, "how many of the longest distances of a class count", ge=1, le=64, paper="2")
    margin: float = setting(
        100.0,
        "squared distance M that the two closest class means must keep",
        ge=0,
        sweep="5:500:log:5",
        paper="20000 (a third party's Caffe port)",
    )
    intra: float = setting(
        0.001,
        "weight of the distances within classes",
        ge=0,
        sweep="1e-4:0.1:log:4",
        paper="1e-4 (a third party's Caffe port)",
    )
    inter: float = setting(
        0.01,
        "weight of the distance between class means",
        ge=0,
        sweep="1e-4:0.1:log:4",
        paper="1e-3 (a third party's Caffe port)",
    )

    def compute(self, features: Tensor, labels: Tensor) -> Tensor:
        """The weighted sum of both terms; 0 where there is no pair."""
        sums, counts = class_sums(features, labels, self.num_classes)
        means = sums / counts.clamp(min=1)
        first, second, valid = _longest((features - means[labels]).detach(), labels, self.num_classes, self.k)
        ranges = (features[first] - features[second]).square().sum(-1)
        pairs = valid.sum(1)
        inverse = torch.where(valid, 1 / (ranges + EPSILON), 0).sum(1)
        # a class without a pair: 0 / 1, with the gradient 0
        harmonic = pairs / torch.where(pairs > 0, inverse, 1)
        within = harmonic.sum() / (pairs > 0).sum().clamp(min=1)

        present = counts > 0
        apart = present & present.T & ~torch.eye(self.num_classes, dtype=torch.bool, device=means.device)
        closest = torch.where(apart, squared_distances(means, means), self.margin).min()
        return self.intra * within + self.inter * (self.margin - closest).clamp(min=0)


@torch.no_grad()
def _longest(offsets: Tensor, labels: Tensor, classes: int, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """The k longest pairs of every class: two index tensors (C, k) and which of them exist.

    First the k longest of each sample to a later one, then the k longest of those in each class. Only the
    choice is made here, by |u|^2 - 2 u v + |v|^2: one matrix product, and safe because the offsets are
    taken from the class mean, so that they are no longer than the distances needed.
    """
    squares = offsets.square().sum(1)
    later = (labels.unsqueeze(1) == labels).triu(1)
    lengths = torch.addmm(squares, offsets, offsets.T, alpha=-2).masked_fill_(~later, -torch.inf)
    k = min(k, len(labels))
    best, partner = lengths.topk(k, dim=1)
    members = F.one_hot(labels, classes).T.bool()
    candidates = (best + squares.unsqueeze(1)).masked_fill(~members.unsqueeze(-1), -torch.inf)
    longest, place = candidates.flatten(1).topk(k, dim=1)
    return place // k, partner.flatten()[place], longest > -torch.inf
