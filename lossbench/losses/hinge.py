"""Multi-class hinge loss: the own score must beat every other by a margin, and then nothing pulls any more.

    crammer-singer:  L = 1/B sum_i [delta + max_{j != y} f_ij - f_iy]_+      (Crammer & Singer 2001)
    weston-watkins:  L = 1/B sum_i sum_{j != y} [delta + f_ij - f_iy]_+      (Weston & Watkins 1999)

with f = W x + b and [a]_+ = max(0, a); `squared` squares each bracket (L2-SVM, Tang 2013, arXiv
1306.0239). In the plane: rays whose points stop near the margin instead of running outwards.

Departures from the papers: the regularizer ||W||^2 is left to the optimizer's weight decay; no bias by
default, as for softmax. Weston-Watkins is the sum over the other classes, where torch's MultiMarginLoss
divides by C. pytorch-metric-learning has no counterpart.
"""

import torch.nn.functional as F
from torch import Tensor

from ..specs import FIXED, LossSpec, setting
from ._geometry import is_target, reduce
from ._linear import LinearLoss


class Hinge(LinearLoss):
    """Multi-class hinge loss with class weights `weight` (C, D) and, if asked for, `bias` (C,)."""

    SPEC = LossSpec(
        title="Hinge",
        summary="Multi-class support vector machine: only violated margins pull.",
        paper="Crammer & Singer, JMLR 2 (2001) 265-292; Weston & Watkins, ESANN 1999",
        equation="L = sum_(j != y) [delta + f_j - f_y]_+  or  [delta + max_(j != y) f_j - f_y]_+",
        kind="classifier",
        probabilities=False,
    )
    form: str = setting(
        "weston-watkins",
        "the strongest rival alone, or all rivals",
        choices=("crammer-singer", "weston-watkins"),
    )
    delta: float = setting(1.0, "margin between scores", gt=0, sweep="0.5:8:log:5", paper="1")
    squared: bool = setting(False, "square each violation", paper="false")
    fixed: bool = FIXED
    bias: bool = setting(False, "add a bias to the class scores", paper="true")

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """The violation of the margins."""
        scores = self.logits(features)
        violations = F.relu(scores - scores.gather(1, labels.unsqueeze(-1)) + self.delta)
        violations = violations.masked_fill(is_target(scores, labels), 0)
        if self.squared:
            violations = violations.square()
        # no violation is negative, so the largest one is the bracket of the largest other score
        largest = self.form == "crammer-singer"
        return reduce(violations.amax(-1) if largest else violations.sum(-1), reduction)
