"""L2-softmax: softmax on features of one fixed length.

    L = CE(W (s x / ||x||) + b, y)                                     (Ranjan et al. 2017, eq. 3)

Easy samples cannot lower the loss by a long feature, so hard ones weigh more. The class weights keep
their free lengths, unlike NormFace. In the plane: ten arcs of the circle, of uneven width.

Departures from the paper: s (its alpha) is fixed; `learnable` learns log(s). Its lower bound ln(p (C - 2) /
(1 - p)) (eq. 9) assumes C < 2 D (section 4.3). It does not hold for ten classes in the plane. The bias is
off by default, as in softmax here. `soft_start` is ours: until then it is the softmax.
pytorch-metric-learning has no counterpart with free weights; with weights of length one it is
NormalizedSoftmaxLoss.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import FIXED, SOFT_START, LossSpec, setting
from ._geometry import full_precision, normalize
from ._linear import LinearLoss
from ._soft_start import soft_start


class L2Softmax(LinearLoss):
    """L2-softmax with `weight` (C, D) and, if asked for, `bias` (C,) and `log_scale` ()."""

    SPEC = LossSpec(
        title="L2-softmax",
        summary="Softmax on features of one fixed length: arcs of a circle.",
        paper="Ranjan et al., L2-constrained Softmax Loss, 2017, arXiv 1703.09507, eq. 3",
        equation="L = CE(W (s x / ||x||) + b, y)",
        kind="classifier",
        angular=True,
        exceptions={"angular": "only the features are normalised; the class weights keep their free lengths"},
    )
    scale: float = setting(
        16.0,
        "length s of all features (learnable: its start)",
        gt=0,
        sweep="4:64:log:5",
        paper="at least ln(p (C-2) / (1-p)), for C < 2D only",
    )
    learnable: bool = setting(False, "learn the length (as log s)", paper="both")
    bias: bool = setting(False, "add a bias to the class scores", paper="true")
    soft_start: float = SOFT_START
    fixed: bool = FIXED

    def __post_init__(self) -> None:
        super().__post_init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(self.scale))) if self.learnable else None

    def current_scale(self) -> float | Tensor:
        """The length s: fixed, or as learned so far ()."""
        return self.scale if self.log_scale is None else self.log_scale.exp()

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """The cross-entropy."""
        radius, _ = soft_start(self, features, self.current_scale())
        return F.cross_entropy(super().logits(radius * normalize(features)), labels, reduction=reduction)

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Class scores (B, C) of the features at length s."""
        return super().logits(self.current_scale() * normalize(features))
