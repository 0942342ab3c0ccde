"""Lifted structure loss: a positive pair against all negatives of both its ends.

    L = 1/(2|P|) sum_((i, j) in P) [J_ij]_+^2
    J_ij = log( sum_(k in N(i)) exp(m - D_ik) + sum_(l in N(j)) exp(m - D_jl) ) + D_ij
                      (Oh Song et al., CVPR 2016, arXiv 1511.06452, eq. 4, equation number not verified)

P are the positive pairs, N(i) the samples of other classes, D the Euclidean distance. This is the authors'
smooth upper bound (eq. 4) of the hardest-negative form (eq. 3, equation number not verified). With
`generalized` it is the form of Hermans et al. 2017 (arXiv 1703.07737, eq. 8, equation number not verified),
one term for each anchor with all its positives:

    L = 1/B sum_i [ log sum_(p in P(i)) exp(D_ip) + log sum_(n in N(i)) exp(m - D_in) ]_+

In the plane: ten small blobs, some units apart, since the sum over many negatives acts like a larger
margin (by the logarithm of their number).

Departures from the papers: none in the values; anchors and pairs without a negative are left out of the mean.
pytorch-metric-learning's two losses are equal on features that it is told not to normalise.
"""

import torch
from torch import Tensor

from ..specs import LossSpec, setting
from ._loss import Loss
from ._pairwise import Block, distance_blocks, log_sum_exp, sum_over_distances, total, usable_anchors


class Lifted(Loss):
    """Lifted structure loss without state."""

    SPEC = LossSpec(
        title="Lifted structure",
        summary="Each positive pair against all negatives of both ends: blobs.",
        paper="Oh Song et al., Deep Metric Learning via Lifted Structured Feature Embedding, CVPR 2016, "
        "eq. 4 (equation number not verified)",
        equation="J_ij = log(sum exp(m - D_ik) + sum exp(m - D_jl)) + D_ij,  L = mean [J]_+^2 / 2",
        kind="pairs",
        sampler="balanced",
    )
    margin: float = setting(1.0, "distance m", ge=0, sweep="0.5:4:log:4", paper="1")
    generalized: bool = setting(False, "one term for each anchor (Hermans et al.)", paper="false")

    def compute(self, features: Tensor, labels: Tensor) -> Tensor:
        """The mean over the positive pairs, or over the anchors."""
        if self.generalized:
            anchors = usable_anchors(labels).unsqueeze(1)
            whole = sum_over_distances(features, labels, lambda block: self._anchors(block, anchors))
            return whole / anchors.sum().clamp(min=1)
        counts: list[Tensor] = []
        with torch.no_grad():
            blocks = distance_blocks(features.detach(), labels)
            pushes = torch.cat([self._pushes(block)[0] for block in blocks])

        def terms(block: Block) -> tuple[Tensor, Tensor]:
            log_sums, log_sums_t = pushes[block.rows], pushes.T
            # log(e^a + e^b) = a + log(1 + e^(b - a)), beyond 80 the larger; an anchor without a
            # negative has LOG_ZERO
            ratio = (log_sums_t - log_sums).clamp(-80, 80).exp_().add_(1)
            log_sum_of_both = torch.maximum(ratio.log().add_(log_sums), log_sums_t)
            positive = block.positive()
            counts.append(positive.sum())
            excess = log_sum_of_both.add_(block.pairs).relu_().mul_(positive)
            # J is symmetric: what (i, j) and (j, i) do to the sum of i's negatives is twice the same
            pulled = ratio.reciprocal_().mul_(excess).sum(1, keepdim=True).mul_(2)
            # at most 1 where it counts: what is above is of the own class
            shares = (self.margin - log_sums - block.pairs).clamp(-80, 0).exp_().mul_(block.negative())
            value = torch.dot(excess.flatten(), excess.flatten()) / 2
            return value, torch.addcmul(excess, shares, pulled, value=-1)

        # without negatives every J is 0, so that it does not matter how many positive pairs there are
        return sum_over_distances(features, labels, terms) / total(counts).clamp(min=1)

    def _pushes(self, block: Block) -> tuple[Tensor, Tensor, Tensor]:
        pushes, powers, factor = log_sum_exp(-block.pairs, block.rows, block.positive())
        return pushes + self.margin, powers, factor

    def _anchors(self, block: Block, usable: Tensor) -> tuple[Tensor, Tensor]:
        pushes, of_negatives, for_negatives = self._pushes(block)
        pulls, of_positives, for_positives = log_sum_exp(block.pairs, block.rows, block.negative())
        value = (pushes + pulls).relu_().mul_(usable[block.rows])
        wrong = value.sign()
        return value.sum(), of_positives.mul_(for_positives * wrong).sub_(
            of_negatives.mul_(for_negatives * wrong)
        )
