"""Circle loss on pairs: each similarity is weighted by how far it is from where it should be.

    L = 1/B sum_i log[1 + sum_n exp(g a_n (s_n - D_n)) sum_p exp(-g a_p (s_p - D_p))]
    a_p = [1 + m - s_p]_+,  a_n = [s_n + m]_+,  D_p = 1 - m,  D_n = m
                                                    (Sun et al. 2020, arXiv 2002.10857, eqs. 5 and 6)

s are cosines between the anchor i and the others of its class (p) and of other classes (n), g is gamma;
the weights a count as constants in the gradient, as in the paper. In the plane: ten narrow rays.

Departures from the paper: the boundary s_n^2 + (1 - s_p)^2 = 2 m^2 (eq. 8) must leave room for neighbours:
the margin is 5 % above their cosine / sqrt(2), 0.25 at least; with less, even a perfect anchor counts as
wrong and the value stays high. In the plane that cosine is 0.81 for ten classes. Gamma was chosen for two
dimensions (MNIST, default network, one seed: 97.8 % with 8, 97.1 with 16, 88.6 with 32). Anchors without a
positive or a negative are left out of the mean (pytorch-metric-learning counts them as 0). `soft_start` is
ours: first the mean over positives of their log-probability among all pairs, with the anchor's own length as
scale, which then fades into this loss.
"""

import torch
from torch import Tensor

from ..specs import SOFT_START, LossSpec, largest_cosine_margin, setting
from ._geometry import normalize, softplus
from ._loss import Loss
from ._pairwise import Block, log_sum_exp, sum_after_soft_start, sum_over_scores, usable_anchors
from ._soft_start import soft_start


class CirclePair(Loss):
    """Circle loss per anchor on cosines of pairs; margin None for the default of (C, D)."""

    SPEC = LossSpec(
        title="Circle (pairs)",
        summary="Cosines of pairs, each pulled as far as it needs: rays.",
        paper="Sun et al., Circle Loss, CVPR 2020, arXiv 2002.10857, eqs. 5 and 6",
        equation="L = log(1 + sum exp(g a_n (s_n - m)) sum exp(-g a_p (s_p - 1 + m)))",
        kind="pairs",
        sampler="balanced",
        angular=True,
        exceptions={"gradcheck": "the weights a are constants in the gradient, by definition"},
    )
    gamma: float = setting(
        8.0, "scale of the similarities", gt=0, sweep="4:64:log:5", paper="80 (pair labels, section 4.1)"
    )
    margin: float = setting(
        lambda classes, dim: round(max(0.25, 1.05 * (1 - largest_cosine_margin(classes, dim)) / 2**0.5), 2),
        "relaxation m",
        ge=-1,
        le=1,
        sweep="0.25:0.75:lin:5",
        paper="0.4 (pair labels, section 4.1)",
        smallest=lambda classes, dim: (1 - largest_cosine_margin(classes, dim)) / 2**0.5,
    )
    soft_start: float = SOFT_START

    def compute(self, features: Tensor, labels: Tensor) -> Tensor:
        """The mean over the anchors that have both kinds of pair."""
        directions = normalize(features)
        anchors = usable_anchors(labels).unsqueeze(1)

        def terms(block: Block) -> tuple[Tensor, Tensor]:
            # how wrong a pair is, s_n or 1 - s_p: so written both kinds have the weight [wrong + m]_+
            positive, negative = block.positive(), block.negative()
            wrong = torch.mul(negative - positive, block.pairs).add_(positive)
            weight = (wrong + self.margin).relu_().mul_(self.gamma)
            scores = wrong.sub_(self.margin).mul_(weight)
            pushes, of_negatives, for_negatives = log_sum_exp(scores, block.rows, positive)
            pulls, of_positives, for_positives = log_sum_exp(scores, block.rows, negative)
            both, usable = pushes + pulls, anchors[block.rows]
            slope = both.sigmoid() * usable
            slopes = of_negatives.mul_(slope * for_negatives).sub_(of_positives.mul_(slope * for_positives))
            return (softplus(both) * usable).sum(), slopes.mul_(weight)

        size = anchors.sum().clamp(min=1)
        if not self.starting:
            return sum_over_scores(directions, directions, labels, terms) / size
        start = soft_start(self, features, self.gamma)
        return sum_after_soft_start(directions, labels, terms, start, size)
