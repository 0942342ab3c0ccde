"""Supervised contrastive loss: the others of the own class are told from all others of the batch.

    L = 1/B sum_i -1/|P(i)| sum_(p in P(i)) log( exp(z_i z_p / t) / sum_(a != i) exp(z_i z_a / t) )
                                                        (Khosla et al. 2020, arXiv 2004.11362, eq. 2)

z are unit vectors, P(i) the others of i's class, t the temperature. In the plane: ten narrow rays. With K
samples of a class the value cannot fall below log(K - 1), since the positives compete with one another.

Departures from the paper: one view of each image; the temperature lets a perfect sample among C directions
in D dimensions still reach probability 0.9 (0.1 at most); anchors without a positive are left out of the
mean (the authors' code counts them as 0; pytorch-metric-learning drops all whose loss is 0). `soft_start`
is ours: first 1/t is the anchor's own length.
"""

from torch import Tensor

from ..specs import SOFT_START, LossSpec, setting, smallest_useful_scale
from ._geometry import normalize
from ._loss import Loss
from ._pairwise import pair_log_probability
from ._soft_start import soft_start


class SupCon(Loss):
    """Supervised contrastive loss; temperature None for the default of (C, D)."""

    SPEC = LossSpec(
        title="SupCon",
        summary="Own class against the rest of the batch, by cosine: rays.",
        paper="Khosla et al., Supervised Contrastive Learning, NeurIPS 2020, arXiv 2004.11362, eq. 2",
        equation="L = -mean over p of log(exp(z_i z_p / t) / sum_(a != i) exp(z_i z_a / t))",
        kind="pairs",
        sampler="balanced",
        angular=True,
    )
    temperature: float = setting(
        lambda classes, dim: round(max(0.02, min(0.1, 1 / smallest_useful_scale(classes, dim))), 3),
        "temperature t of the cosines",
        gt=0,
        sweep="0.03:0.3:log:5",
        paper="0.1 (0.07 in the code)",
        largest=lambda classes, dim: 1 / smallest_useful_scale(classes, dim),
    )
    soft_start: float = SOFT_START

    def compute(self, features: Tensor, labels: Tensor) -> Tensor:
        """The mean over the anchors that have a positive."""
        radius, _ = soft_start(self, features, 1 / self.temperature)
        directions = normalize(features)
        return pair_log_probability(radius * directions, directions, labels)
