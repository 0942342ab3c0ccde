"""GHM-C: samples share their weight with all others of about the same gradient length.

    L = 1/N sum_e beta_e loss_e,  beta_e = N / GD_e,  GD_e = S_{b(e)} M          (Li et al. 2019, eqs. 5-9)
    S_b <- momentum S_b + (1 - momentum) R_b,  R_b the elements whose g lies in bin b of M    (eq. 10)

    softmax (default):  e one sample, loss = cross-entropy, g = 1 - p_y
    sigmoid (paper):    e one score of a sample, loss = binary cross-entropy, g = |sigmoid(f) - target|

The many easy samples, and outliers that crowd together, count no more than the few between. In the
plane: rays as with softmax, with less pull at their far ends.

Departures from the paper: the softmax form is ours. S is kept as a fraction of N (buffer `density`), so
the batch size may change, and the average is free of the start at 0 (buffer `mass`), which in the
released code makes the first weights 1/(1 - momentum) times too large. That code also divides by the
number of bins in use where the paper has M. The sigmoid form has a bias, as one-against-all in the plane
needs. The moved average enters the value; evaluation does not store it. pytorch-metric-learning
has no counterpart.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import HyperParameter, LossSpec
from ._geometry import class_weight, full_precision, is_target

SPEC = LossSpec(
    title="GHM-C",
    summary="Weights samples by the rarity of their gradient length.",
    paper="Li et al., Gradient Harmonized Single-stage Detector, AAAI 2019, arXiv 1811.05181, eqs. 5-10",
    equation="L = mean(beta loss),  beta = N / (S_b M),  S <- momentum S + (1 - momentum) R",
    kind="classifier",
    exceptions={
        "descent": "not the gradient of its value: beta is constant there, but changes with the bins in use",
        "precision": "a gradient length on the edge of two bins falls into either",
    },
    settings={
        "form": HyperParameter(
            default="softmax", choices=("softmax", "sigmoid"), help="elements: samples, or single scores"
        ),
        "bins": HyperParameter(
            default=10, low=1, high=1000, help="number M of bins of g", sweep="5:40:log:4", paper="30"
        ),
        "momentum": HyperParameter(
            default=0.75,
            low=0,
            high=1,
            high_open=True,
            help="of the moving average of the bins",
            paper="0.75",
        ),
    },
)


class GHM(nn.Module):
    """GHM-C with class weights `weight` (C, D); `density` (M,) and `mass` () are its moving average."""

    density: Tensor
    mass: Tensor

    def __init__(
        self,
        num_classes: int,
        feature_dim: int,
        *,
        form: str = "softmax",
        bins: int = 10,
        momentum: float = 0.75,
    ) -> None:
        super().__init__()
        chosen = SPEC.resolve(num_classes, feature_dim, form=form, bins=bins, momentum=momentum)
        self.form, self.bins, self.momentum = chosen["form"], int(chosen["bins"]), float(chosen["momentum"])
        self.weight = class_weight(num_classes, feature_dim)
        self.bias = nn.Parameter(torch.zeros(num_classes)) if self.form == "sigmoid" else None
        self.register_buffer("density", torch.zeros(self.bins))
        self.register_buffer("mass", torch.zeros(()))

    @full_precision
    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (B, D) and labels (B,) to the mean harmonised loss."""
        scores = self.logits(features)
        if self.form == "softmax":
            losses = F.cross_entropy(scores, labels, reduction="none")
            lengths = -torch.expm1(-losses.detach())
        else:
            targets = is_target(scores, labels).to(scores.dtype)
            losses = F.binary_cross_entropy_with_logits(scores, targets, reduction="none").flatten()
            lengths = (scores.detach().sigmoid() - targets).abs().flatten()
        return (self._weights(lengths) * losses).mean()

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Class scores (B, C)."""
        return F.linear(features, self.weight, self.bias)

    @torch.no_grad()
    def _weights(self, lengths: Tensor) -> Tensor:
        """beta (N,) of the elements with gradient lengths g (N,); moves the average in training."""
        bins = (lengths * self.bins).long().clamp(max=self.bins - 1)  # g = 1 belongs to the last bin
        counts = torch.zeros_like(self.density).scatter_add(0, bins, torch.ones_like(lengths))
        density = self.momentum * self.density + (1 - self.momentum) * counts / len(lengths)
        mass = self.momentum * self.mass + (1 - self.momentum)
        if self.training:
            self.density.copy_(density)
            self.mass.copy_(mass)
        return mass / (self.bins * density)[bins]
