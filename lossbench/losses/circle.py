"""Circle loss with class labels: the further a similarity is from its optimum, the harder it is pushed.

    L = CE(f, y),  f_y = g a_p (c_y - (1 - m)),  f_j = g a_n (c_j - m)               (Sun et al. 2020, eq. 6)
    a_p = [1 + m - c_y]_+,  a_n = [c_j + m]_+,  c = cos(theta)                       (eqs. 5 and 8)

The weights a are constants in the backward pass, as in the paper. The decision boundary is the circle
c_n^2 + (1 - c_p)^2 = 2 m^2. The paper's gamma is `scale`. In the plane: ten rays.

Departures from the paper: none in the equation; the one-log form of eq. 6 with a single positive is the
cross-entropy above. The defaults suit (C, D): ten directions in a plane have neighbour cosines of 0.81,
and a perfect sample is inside the boundary only if that is below sqrt(2) m, so m starts at 0.62 there
(with the paper's 0.25 a short training reached 75 % where 0.62 reached 92 %). `soft_start` is a schedule
of ours, see geometry.soft_start: first the modified softmax, then from g cos(theta) into f.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import SOFT_START, HyperParameter, LossSpec, largest_cosine_margin, smallest_useful_scale
from ._geometry import class_weight, cosines, full_precision, is_target, soft_start

SPEC = LossSpec(
    title="Circle",
    summary="Self-paced cosine margin with class labels: rays.",
    paper="Sun et al., Circle Loss, CVPR 2020, arXiv 2002.10857, eqs. 5, 6 and 8",
    equation="L = CE(f, y),  f_y = g [1+m-c_y]_+ (c_y-1+m),  f_j = g [c_j+m]_+ (c_j-m)",
    kind="classifier",
    tags=("angular", "margin"),
    settings={
        "scale": HyperParameter(
            default=24.0,
            low=0,
            low_open=True,
            help="scale gamma of the scores",
            sweep="8:128:log:5",
            paper="256",
            smallest=smallest_useful_scale,
        ),
        "margin": HyperParameter(
            default=lambda classes, dim: round(
                max(0.25, (1 - largest_cosine_margin(classes, dim)) / 2**0.5 + 0.05), 3
            ),
            low=0,
            high=1,
            help="relaxation m: own cosines above 1 - m and others below m are at rest",
            sweep="0.25:0.75:lin:6",
            paper="0.25",
            smallest=lambda classes, dim: max(0.0, (1 - largest_cosine_margin(classes, dim)) / 2**0.5),
        ),
        "soft_start": SOFT_START,
    },
    exceptions={"gradcheck": "the weights a_p and a_n are constants in backward, as the paper has it"},
)


class Circle(nn.Module):
    """Class-level circle loss with class directions `weight` (C, D); margin None: the default of (C, D)."""

    progress: Tensor
    starting = False

    def __init__(
        self,
        num_classes: int,
        feature_dim: int,
        *,
        scale: float = 24.0,
        margin: float | None = None,
        soft_start: float = 0.3,
    ) -> None:
        super().__init__()
        chosen = SPEC.resolve(num_classes, feature_dim, scale=scale, margin=margin, soft_start=soft_start)
        self.scale, self.margin = float(chosen["scale"]), float(chosen["margin"])
        self.soft_start = float(chosen["soft_start"])
        self.weight = class_weight(num_classes, feature_dim)
        self.register_buffer("progress", torch.ones(()))

    @full_precision
    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (B, D) and labels (B,) to the mean cross-entropy of the weighted scores."""
        radius, ramp = soft_start(self, features, self.scale)
        cosine = cosines(features, self.weight)
        own, m = is_target(cosine, labels), self.margin
        pace = torch.where(own, 1 + m - cosine, cosine + m).detach().clamp(min=0)
        circle = pace * torch.where(own, cosine - (1 - m), cosine - m)
        return F.cross_entropy(radius * ((1 - ramp) * cosine + ramp * circle), labels)

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Margin-free class scores (B, C): s cos(theta)."""
        return self.scale * cosines(features, self.weight)
