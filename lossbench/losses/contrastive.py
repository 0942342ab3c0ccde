"""Contrastive loss: pairs of one class attract each other, pairs of two classes keep a distance.

    L = 1/N sum_(i<j) [ t D_ij^2 / 2 + (1 - t) [m - D_ij]_+^2 / 2 ],  t = 1 where y_i = y_j
              (Hadsell, Chopra, LeCun, CVPR 2006, eq. 4, equation number not verified, whose Y is 1 - t)

The pairs are all N = B (B - 1) / 2 of the batch; their mixture (one pair in C is of one class where classes
are balanced) is part of the loss. D is the Euclidean distance of the features as they are, so the margin
only sets the size of the picture. In the plane: ten blobs, neighbours about a margin apart.

Departures from the paper: the mean over the pairs in place of the sum, pairs from one batch in place of
a list. pytorch-metric-learning's ContrastiveLoss is another one: linear in D, and positive and negative
pairs are averaged apart.
"""

import torch
from torch import Tensor

from ..specs import LossSpec, setting
from ._loss import Loss
from ._pairwise import Block, sum_over_distances


class Contrastive(Loss):
    """Contrastive loss over all pairs of the batch, without state."""

    SPEC = LossSpec(
        title="Contrastive",
        summary="Pairs attract or keep a distance: small blobs a margin apart.",
        paper="Hadsell et al., Dimensionality Reduction by Learning an Invariant Mapping, CVPR 2006, eq. 4 "
        "(equation number not verified)",
        equation="L = mean over pairs of t D^2 / 2 + (1 - t) [m - D]_+^2 / 2",
        kind="pairs",
        sampler="balanced",
    )
    margin: float = setting(
        1.0, "distance m that pairs of two classes keep", gt=0, sweep="0.5:8:log:5", paper="1"
    )

    def compute(self, features: Tensor, labels: Tensor) -> Tensor:
        """The mean over all pairs."""

        def terms(block: Block) -> tuple[Tensor, Tensor]:
            # D where alike, m - D where not, as arithmetic: faster than a choice
            negative = block.negative()
            sign = 1 - 2 * negative
            gap = torch.addcmul(negative.mul_(self.margin), sign, block.pairs).relu_()
            return gap.square().sum(), gap.mul_(sign).mul_(2)

        # both (i, j) and (j, i) are summed, and the diagonal is 0: twice the sum over pairs
        size = len(labels)
        return sum_over_distances(features, labels, terms) / max(2 * size * (size - 1), 1)
