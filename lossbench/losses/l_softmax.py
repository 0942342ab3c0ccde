"""L-Softmax: the angle to the own class direction counts m-fold, the lengths stay free.

    f_j = w_j x = |w_j| |x| cos(theta_j) for j != y,   L = 1/B sum_i CE(f_i, y_i)
    f_y = |w_y| |x| (lambda cos(theta_y) + psi(theta_y)) / (1 + lambda)         (Liu et al. 2016, eqs. 4-6)
    psi(theta) = (-1)^k cos(m theta) - 2k for theta in [k pi/m, (k+1) pi/m]
    lambda = max(lambda_min, base (1 + gamma t)^-power)                         (the authors' released code)

In the plane: ten rays, thinner with m. m = 1 is softmax without bias; base = 0 switches annealing off,
which is the equation of the paper and pytorch-metric-learning's LargeMarginSoftmaxLoss(scale=1).

Annealing: with annealing = steps, t is the buffer `step`, the number of training forwards so far, as
released. Default is annealing = progress, ours: the released schedule of 20,000 iterations is stretched over
the training, t = 20000 * `progress`, so that a training of 2,000 steps anneals as well. `progress` is 1
unless lossbench's training loop moves it, and lambda is then 7e-4: the margin is full.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import HyperParameter, LossSpec
from ._geometry import (
    annealed_lambda,
    class_weight,
    full_precision,
    is_target,
    multiplied_angle,
    normalize,
    target_cosine_and_sine,
)

SPEC = LossSpec(
    title="L-Softmax",
    summary="Angle to the own class counts m-fold: thin rays of free length.",
    paper="Liu et al., Large-Margin Softmax Loss, ICML 2016, arXiv 1612.02295, eqs. 4-6",
    equation="f_j = w_j x,  f_y = |w_y| |x| (lambda cos(theta_y) + psi(theta_y)) / (1 + lambda)",
    kind="classifier",
    tags=("margin",),
    settings={
        "margin": HyperParameter(
            default=3, low=1, high=4, help="factor m of the angle", sweep="1:4:lin:4", paper="2 ... 4"
        ),
        "annealing": HyperParameter(
            default="progress",
            choices=("progress", "steps"),
            help="time t of lambda: 20000 * share of the training done, or training steps",
            paper="steps",
        ),
        "base": HyperParameter(default=1000.0, low=0, help="lambda at t = 0; 0: no annealing", paper="1000"),
        "gamma": HyperParameter(default=2.5e-5, low=0, help="rate at which lambda falls", paper="2.5e-5"),
        "power": HyperParameter(default=35.0, low=0, help="power of the fall of lambda", paper="35"),
        "lambda_min": HyperParameter(default=0.0, low=0, help="least lambda; 0: the full margin", paper="0"),
    },
)
_ITERATIONS = 20_000  # length of the released training, which `progress` 0 ... 1 stands for


class LSoftmax(nn.Module):
    """L-Softmax with class weights `weight` (C, D), integer margin 1 ... 4 and annealing buffer `step` ()."""

    progress: Tensor
    step: Tensor

    def __init__(
        self,
        num_classes: int,
        feature_dim: int,
        *,
        margin: int = 3,
        annealing: str = "progress",
        base: float = 1000.0,
        gamma: float = 2.5e-5,
        power: float = 35.0,
        lambda_min: float = 0.0,
    ) -> None:
        super().__init__()
        chosen = SPEC.resolve(
            num_classes,
            feature_dim,
            margin=margin,
            annealing=annealing,
            base=base,
            gamma=gamma,
            power=power,
            lambda_min=lambda_min,
        )
        self.margin, self.annealing = int(chosen["margin"]), chosen["annealing"]
        self.base, self.gamma = float(chosen["base"]), float(chosen["gamma"])
        self.power, self.lambda_min = float(chosen["power"]), float(chosen["lambda_min"])
        self.weight = class_weight(num_classes, feature_dim)
        self.register_buffer("progress", torch.ones(()))
        self.register_buffer("step", torch.zeros(()))

    @full_precision
    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (B, D) and labels (B,) to the mean cross-entropy of the scores with margin."""
        scores = self.logits(features)
        lengths = torch.linalg.vector_norm(features, dim=-1)
        lengths = lengths * torch.linalg.vector_norm(self.weight, dim=-1)[labels]
        x, w = normalize(features), normalize(self.weight)
        cosine, sine = target_cosine_and_sine(x, w, labels)
        # what psi takes from the plain score: nothing at m = 1, which is softmax to the last bit
        change = lengths * (multiplied_angle(cosine, sine, self.margin) - cosine) / (1 + self._lambda())
        return F.cross_entropy(scores + change.unsqueeze(-1) * is_target(scores, labels), labels)

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Margin-free class scores (B, C): W x."""
        return F.linear(features, self.weight)

    @torch.no_grad()
    def _lambda(self) -> Tensor:
        """lambda of this step; a training step counts."""
        time = self.step if self.annealing == "steps" else _ITERATIONS * self.progress
        value = annealed_lambda(time, self.base, self.gamma, self.power, self.lambda_min)
        if self.training:
            self.step += 1
        return value
