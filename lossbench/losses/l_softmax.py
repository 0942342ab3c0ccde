"""L-Softmax: the angle to the own class direction counts m-fold, the lengths stay free.

    f_j = w_j x = |w_j| |x| cos(theta_j) for j != y,   L = 1/B sum_i CE(f_i, y_i)
    f_y = |w_y| |x| (lambda cos(theta_y) + psi(theta_y)) / (1 + lambda)
                                              (Liu et al. 2016, eqs. 4-6, equation numbers not verified)
    psi(theta) = (-1)^k cos(m theta) - 2k for theta in [k pi/m, (k+1) pi/m]
    lambda = max(lambda_min, base (1 + gamma t)^-power)
                                                                            (the authors' released code)

In the plane: ten rays, thinner with m. m = 1 is softmax without bias; base = 0 switches annealing off,
which is the equation of the paper and pytorch-metric-learning's LargeMarginSoftmaxLoss(scale=1).

Annealing: with annealing = steps, t is the buffer `step`, the number of training forwards so far, as
released. Default is annealing = progress, ours: the released schedule of 20,000 iterations is stretched over
the training, t = 20000 * `progress`, so that a training of 2,000 steps anneals as well. `progress` is 1
unless lossbench's training loop moves it, and lambda is then 7e-4: the margin is full.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import FIXED, LossSpec, setting
from ._annealing import annealed_lambda
from ._geometry import is_target, length_and_direction, multiplied_angle, target_cosine_and_sine
from ._linear import LinearLoss


class LSoftmax(LinearLoss):
    """L-Softmax with class weights `weight` (C, D), integer margin 1 ... 4 and annealing buffer `step` ()."""

    SPEC = LossSpec(
        title="L-Softmax",
        summary="Angle to the own class counts m-fold: thin rays of free length.",
        paper="Liu et al., Large-Margin Softmax Loss, ICML 2016, arXiv 1612.02295, eqs. 4-6 "
        "(equation numbers not verified)",
        equation="f_j = w_j x,  f_y = |w_y| |x| (lambda cos(theta_y) + psi(theta_y)) / (1 + lambda)",
        kind="classifier",
    )
    margin: int = setting(3, "factor m of the angle", ge=1, le=4, sweep="1:4:lin:4", paper="2 ... 4")
    annealing: str = setting(
        "progress",
        "time t of lambda: 20000 * share of the training done, or training steps",
        choices=("progress", "steps"),
        paper="steps",
    )
    base: float = setting(1000.0, "lambda at t = 0; 0: no annealing", ge=0, paper="1000")
    gamma: float = setting(2.5e-5, "rate at which lambda falls", ge=0, paper="2.5e-5")
    power: float = setting(35.0, "power of the fall of lambda", ge=0, paper="35")
    fixed: bool = FIXED
    lambda_min: float = setting(0.0, "least lambda; 0: the full margin", ge=0, paper="0")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.progress: Tensor = nn.Buffer(torch.ones(()))
        self.step: Tensor = nn.Buffer(torch.zeros(()))

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """The cross-entropy of the scores with margin."""
        scores = self.logits(features)
        lengths, x = length_and_direction(features)
        weight_lengths, w = length_and_direction(self.weight)
        lengths = (lengths * weight_lengths[labels]).squeeze(-1)
        cosine, sine = target_cosine_and_sine(x, w, labels)
        share = 1 + annealed_lambda(self, gamma=self.gamma, power=self.power)
        # what psi takes from the plain score: nothing at m = 1, which is softmax to the last bit
        change = lengths * (multiplied_angle(cosine, sine, self.margin) - cosine) / share
        scores = scores + change.unsqueeze(-1) * is_target(scores, labels)
        value = F.cross_entropy(scores, labels, reduction=reduction)
        self.move_state(value, step=self.step + 1)
        return value
