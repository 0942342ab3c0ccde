"""GHM-C: samples share their weight with all others of about the same gradient length.

    L = 1/N sum_e beta_e loss_e,  beta_e = N / GD_e,  GD_e = S_{b(e)} M
                                                                           (Li et al. 2019, eqs. 4, 7-9)
    S_b <- momentum S_b + (1 - momentum) R_b,  R_b the elements whose g lies in bin b of M    (eq. 12)

    softmax (default):  e one sample, loss = cross-entropy, g = 1 - p_y
    sigmoid (paper):    e one score of a sample, loss = binary cross-entropy, g = |sigmoid(f) - target|

The many easy samples, and outliers that crowd together, count no more than the few between. In the
plane: rays as with softmax, with less pull at their far ends.

Departures from the paper: the softmax form is ours. S is kept as a fraction of N (buffer `density`), so the
batch size may change, and the average is free of the start at 0 (buffer `mass`), which in the released code
makes the first weights 1/(1 - momentum) times too large. That code also divides by the number of bins in use
where the paper has M, and leaves the average of an empty bin as it is, where the paper lets it decay, as
this code does. The sigmoid form has a bias. In the plane one-against-all needs it. The moved average enters
the value; evaluation does not store it. pytorch-metric-learning has no counterpart.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import FIXED, LossSpec, setting
from ._geometry import is_target, reduce
from ._linear import LinearLoss


class GHM(LinearLoss):
    """GHM-C with class weights `weight` (C, D); `density` (M,) and `mass` () are its moving average."""

    SPEC = LossSpec(
        title="GHM-C",
        summary="Weights samples by the rarity of their gradient length.",
        paper="Li et al., Gradient Harmonized Single-stage Detector, AAAI 2019, arXiv 1811.05181, "
        "eqs. 4, 7-9 and 12",
        equation="L = mean(beta loss),  beta = N / (S_b M),  S <- momentum S + (1 - momentum) R",
        kind="classifier",
        exceptions={
            "descent": "beta is constant in the gradient, but the value changes with the bins in use",
            "precision": "a gradient length on the edge of two bins falls into either",
        },
    )
    form: str = setting("softmax", "elements: samples, or single scores", choices=("softmax", "sigmoid"))
    bins: int = setting(10, "number M of bins of g", ge=1, le=1000, sweep="5:40:log:4", paper="30")
    momentum: float = setting(0.75, "of the moving average of the bins", ge=0, lt=1, paper="0.75")
    fixed: bool = FIXED

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.form == "sigmoid":
            self.bias = nn.Parameter(torch.zeros(self.num_classes))
        self.density: Tensor = nn.Buffer(torch.zeros(self.bins))
        self.mass: Tensor = nn.Buffer(torch.zeros(()))

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """The harmonised loss; in training the average moves."""
        scores = self.logits(features)
        if self.form == "softmax":
            losses = F.cross_entropy(scores, labels, reduction="none")
            gradient_lengths = -torch.expm1(-losses.detach())
        else:
            targets = is_target(scores, labels).to(scores.dtype)
            losses = F.binary_cross_entropy_with_logits(scores, targets, reduction="none").flatten()
            gradient_lengths = (scores.detach().sigmoid() - targets).abs().flatten()
        values = self._weights(gradient_lengths) * losses
        return reduce(values.view(len(labels), -1), reduction)

    def _weights(self, gradient_lengths: Tensor) -> Tensor:
        """beta (N,) of the elements with gradient lengths g (N,); moves the average in training."""
        # g = 1 belongs to the last bin; NaN becomes an index of any size
        bins = (gradient_lengths * self.bins).long().clamp(0, self.bins - 1)
        counts = torch.zeros_like(self.density).scatter_add(0, bins, torch.ones_like(gradient_lengths))
        density = self.momentum * self.density + (1 - self.momentum) * counts / len(gradient_lengths)
        mass = self.momentum * self.mass + (1 - self.momentum)
        self.move_state(gradient_lengths, density=density, mass=mass)
        return mass / (self.bins * density)[bins]
