"""Multi-similarity loss: mined pairs, weighted by their own and their rivals' cosines.

    L = 1/B sum_i { 1/a log[1 + sum_p exp(-a (S_ip - l))] + 1/b log[1 + sum_n exp(b (S_in - l))] }
                              (Wang et al. 2019, arXiv 1904.06627, eq. 15, equation number not verified)

a is alpha, b is beta, l is base. With `mining` (eqs. 11 and 12, equation numbers not verified) a negative
counts only if S_in > min_p S_ip - epsilon and a positive only if S_ip < max_n S_in + epsilon, so satisfied
pairs get no gradient, and an anchor without a positive or a negative counts as 0; without mining its other
term remains. In the plane: ten narrow rays.

Departures from the paper: base lies halfway between 1 and the cosine of neighbouring classes, spread as far
as C directions in D dimensions can be, 0.5 at least, the value of the authors' code. In a plane it is 0.905
for ten classes, where 0.5 would ask for what cannot be. Their code also drops positives with S > 1 - 1e-5;
this and pytorch-metric-learning do not. `soft_start` is ours: first the mean log-probability of the
positives, with the anchor's own length as scale, which fades into this loss.
"""

import torch
from torch import Tensor

from ..specs import SOFT_START, LossSpec, largest_cosine_margin, setting
from ._geometry import normalize, softplus
from ._loss import Loss
from ._pairwise import LOG_ZERO, Block, exclude_self, shifted_exp, sum_after_soft_start, sum_over_scores
from ._soft_start import soft_start


class MultiSimilarity(Loss):
    """Multi-similarity loss on cosines; base None for the default of (C, D)."""

    SPEC = LossSpec(
        title="Multi-similarity",
        summary="Mined pairs, each weighted against its rivals: rays.",
        paper="Wang et al., Multi-Similarity Loss, CVPR 2019, arXiv 1904.06627, eqs. 11, 12 and 15 "
        "(equation numbers not verified)",
        equation="L = 1/a log(1 + sum exp(-a (S_p - l))) + 1/b log(1 + sum exp(b (S_n - l)))",
        kind="pairs",
        sampler="balanced",
        angular=True,
    )
    alpha: float = setting(2.0, "scale of the positives", gt=0, sweep="1:16:log:5", paper="2")
    beta: float = setting(50.0, "scale of the negatives", gt=0, sweep="10:100:log:5", paper="50")
    base: float = setting(
        lambda classes, dim: round(max(0.5, 1 - largest_cosine_margin(classes, dim) / 2), 3),
        "cosine l between alike and unlike",
        ge=-1,
        le=1,
        sweep="0.5:0.95:lin:6",
        paper="1 (0.5 in the code)",
    )
    mining: bool = setting(True, "only pairs that are not satisfied by epsilon", paper="true")
    epsilon: float = setting(0.1, "tolerance of the mining", ge=0, le=2, sweep="0:0.4:lin:5", paper="0.1")
    soft_start: float = SOFT_START

    def compute(self, features: Tensor, labels: Tensor) -> Tensor:
        """The mean over the batch."""
        directions = normalize(features)
        if not self.starting:
            return sum_over_scores(directions, directions, labels, self._terms) / len(labels)
        start = soft_start(self, features, self.beta)
        size = features.new_full((), len(labels))
        return sum_after_soft_start(directions, labels, self._terms, start, size)

    def _terms(self, block: Block) -> tuple[Tensor, Tensor]:
        # either kind by how wrong it is, -S_ip or S_in, of which each row's largest is the hardest pair
        positives = exclude_self(-block.pairs, block.rows, block.negative())
        negatives = exclude_self(block.pairs, block.rows, block.positive())
        hardest_pairs = positives.amax(1, keepdim=True), negatives.amax(1, keepdim=True)
        pull, of_positives = self._side(positives, *hardest_pairs, self.alpha, -self.base)
        push, of_negatives = self._side(negatives, *hardest_pairs[::-1], self.beta, self.base)
        return (pull + push).sum(), of_negatives.sub_(of_positives)

    def _side(
        self, difficulty: Tensor, hardest: Tensor, hardest_other: Tensor, scale: float, base: float
    ) -> tuple[Tensor, Tensor]:
        """1/a log[1 + sum exp(a (wrong - base))] of each row (R, 1) over its mined pairs, and its slopes."""
        # the sign of a difference as 1 or 0: faster than a comparison
        bound = hardest_other + self.epsilon if self.mining else torch.full_like(hardest_other, -LOG_ZERO / 2)
        mined = (difficulty + bound).sign_().relu_()
        powers = shifted_exp(difficulty, hardest, scale).mul_(mined)
        total = powers.sum(1, keepdim=True)
        # the hardest pair's power is 1, and it is mined where any is
        any_mined, total = total.sign(), total.clamp(min=1)
        score = total.log() + scale * (hardest - base)
        return softplus(score) * any_mined / scale, powers.mul_(score.sigmoid() * any_mined / total)
