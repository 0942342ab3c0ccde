"""Margin loss: pairs of one class come nearer than a learned boundary, pairs of two classes stay farther.

    L = 1/N sum_a sum_{p, n} [alpha + D_ap - beta]_+ + [alpha + beta - D_an]_+              (Wu et al. 2017)

for all triplets (a, p, n) of the batch, so that positive and negative pairs weigh the same; N counts the
brackets that are not 0. D is the Euclidean distance of the features as they are, beta a learned distance.
With `distance_weighted` features have unit length and a negative counts by its probability under
distance-weighted sampling, 1 / q(D), q(D) = D^(d - 2) (1 - D^2 / 4)^((d - 3) / 2), D at least 0.5. In the
plane: ten blobs.

Departures from the paper: one beta for all classes; features are free unless `normalized`; the expectation
of the sampling in place of a draw. Read: example/gluon/embedding_learning/model.py of MXNet, by the
authors, and pytorch-metric-learning's MarginLoss, which is the same; equation numbers not verified.
"""

import torch
from torch import Tensor, nn

from ..specs import LossSpec, setting
from ._geometry import normalize
from ._loss import Loss
from ._pairwise import Block, class_sizes, sum_over_distances, total

CUTOFF = 0.5
"""Distances below count as this one in the sampling, so that no negative is drawn almost surely."""


class MarginPair(Loss):
    """Margin loss with the parameter `beta` () if it is learnable."""

    SPEC = LossSpec(
        title="Margin",
        summary="Distances within and between classes on two sides of a learned boundary: blobs.",
        paper="Wu et al., Sampling Matters in Deep Embedding Learning, ICCV 2017, arXiv 1706.07567",
        equation="L = [alpha + D_ap - beta]_+ + [alpha + beta - D_an]_+",
        kind="pairs",
        sampler="balanced",
    )
    margin: float = setting(0.2, "alpha, half the gap", ge=0, sweep="0.1:1:log:4", paper="0.2")
    boundary: float = setting(1.2, "beta, the boundary, or its start", gt=0, sweep="0.4:4:log:5", paper="1.2")
    learnable: bool = setting(True, "learn the boundary", paper="true")
    normalized: bool = setting(False, "features at unit length", paper="true")
    distance_weighted: bool = setting(
        False, "weigh negatives by their distance (features at unit length)", paper="true"
    )

    def __post_init__(self) -> None:
        start = torch.tensor(self.boundary)
        self.beta: Tensor = nn.Parameter(start) if self.learnable else nn.Buffer(start)

    def compute(self, features: Tensor, labels: Tensor) -> Tensor:
        """The mean over the violated brackets of all triplets."""
        if self.normalized or self.distance_weighted:
            features = normalize(features)
        sizes = class_sizes(labels, features.dtype)
        positives, negatives = sizes - 1, len(labels) - sizes
        beta = self.beta.detach()
        counts, slopes = [], []

        def terms(block: Block) -> tuple[Tensor, Tensor]:
            positive, negative = block.positive(), block.negative()
            times = positive * negatives[block.rows].unsqueeze(1)
            shares = self._shares(block.pairs, negative, features.shape[1], beta)
            times = times + shares * (positives * negatives)[block.rows].unsqueeze(1)
            sign = positive - negative
            gap = sign * (block.pairs - beta) + self.margin
            violated = times * (gap > 0)
            counts.append(violated.sum())
            slopes.append((violated * sign).sum())
            return (violated * gap).sum(), violated * sign

        value = sum_over_distances(features, labels, terms)
        # the sum over the pairs knows no gradient of beta, in which it is linear
        value = value - (self.beta - beta) * total(slopes)
        return value / total(counts).clamp(min=torch.finfo(value.dtype).tiny)

    def _shares(self, distances: Tensor, negative: Tensor, dim: int, beta: Tensor) -> Tensor:
        """How much each negative of an anchor counts (R, B): with the sum 1, or 0 where there is none."""
        if not self.distance_weighted:
            return negative / negative.sum(1, keepdim=True).clamp(min=1)
        near = distances.clamp(CUTOFF, 2 - 1e-4)
        log_weights = (2 - dim) * near.log() - (dim - 3) / 2 * (1 - near.square() / 4).log()
        usable = negative * (distances < beta + self.margin)
        weights = usable * (log_weights - log_weights.amax()).exp()
        return weights / weights.sum(1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
