"""Exponential loss of boosting: wrong scores cost exponentially.

    m2:     L = 1/B sum_i sum_{j != y} exp(f_ij - f_iy) = 1/B sum_i (exp(CE_i) - 1)    (AdaBoost.M2)
    samme:  L = 1/B sum_i exp(-1/C (f_iy - 1/(C-1) sum_{j != y} f_ij))                 (Zhu et al. 2009)

with f = W x + b. SAMME asks for sum_j f_j = 0, which needs no act here: its exponent does not change when
all scores are shifted. In the plane (m2): ten rays, the stragglers between them pulled hardest.

Departure from the papers: above the exponent `limit` the exponential continues as its tangent, so one
mislabelled sample cannot rule the batch or overflow; limit = 0 makes m2 the softmax loss. m2 is the
default (our choice): SAMME only asks a score to beat the mean of the others, which two classes at one
place can satisfy together, so it need not separate them. pytorch-metric-learning has no counterpart.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ..specs import FIXED, LossSpec, setting
from ._geometry import reduce
from ._linear import LinearLoss


class Exponential(LinearLoss):
    """Multi-class exponential loss with class weights `weight` (C, D) and, if asked for, `bias` (C,)."""

    SPEC = LossSpec(
        title="Exponential",
        summary="Boosting's exponential cost of wrong scores.",
        paper="Mukherjee & Schapire, JMLR 14 (2013); Zhu et al., Multi-class AdaBoost, "
        "Stat. Interface 2 (2009)",
        equation="L = exp(CE) - 1  or  exp(-1/C (f_y - mean_(j != y) f_j))",
        kind="classifier",
        probabilities=False,
    )
    form: str = setting("m2", "against every other score, or against their mean", choices=("m2", "samme"))
    limit: float = setting(
        1.0, "exponent above which it goes on linearly", ge=0, le=60, sweep="0:4:lin:5", paper="none"
    )
    bias: bool = setting(False, "add a bias to the class scores")
    fixed: bool = FIXED

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """The exponential loss."""
        scores = self.logits(features)
        if self.form == "m2":
            exponent, curve = F.cross_entropy(scores, labels, reduction="none"), torch.expm1
        else:
            target = scores.gather(1, labels.unsqueeze(-1)).squeeze(-1)
            mean_of_others = (scores.sum(-1) - target) / max(self.num_classes - 1, 1)
            exponent, curve = (mean_of_others - target) / self.num_classes, torch.exp
        # relu, not exponent - clamped: below the limit the huge slope must not enter the gradient at all
        tangent = math.exp(self.limit) * F.relu(exponent - self.limit)
        return reduce(curve(exponent.clamp(max=self.limit)) + tangent, reduction)
