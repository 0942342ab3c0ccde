"""SphereFace2: each class decides by itself, with a margin, whether a sample is its own.

    L = w/r 1/B sum_i [ lambda sp(-r (g(c_iy) - m) - b) + (1 - lambda) sum_{j != y} sp(r (g(c_ij) + m) + b) ]
    g(c) = 2 ((c + 1) / 2)^t - 1,  c = cos(theta),  sp(z) = ln(1 + e^z)                  (Wen et al. 2022)

This is the form with an additive margin on g (SphereFace2-C). g spreads the cosines near 1; in backward its
slope counts as 1, as in the released code. In the plane: ten narrow rays.

Departures from the paper: the margin suits (C, D): own and other scores can be 2m apart only if m <= (1 -
g(c)) / 2, c the cosine of neighbouring directions. For ten directions in a plane that is 0.26. The bias b is
r times the parameter `offset`, so that it is learned as fast as g changes, and starts half way between the
scores of a perfect sample, where the released code starts at the least loss for right angles. `soft_start`
is ours (see _soft_start.py): first the modified softmax. Read: opensphere/module/head/sphereface2.py of
ydwen/opensphere, which has (w / r) C times the mean over classes; equation numbers not verified.
pytorch-metric-learning has no counterpart.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import FIXED, SOFT_START, LossSpec, neighbour_angle, setting
from ._cosine import CosineLoss
from ._geometry import cosines, is_target, reduce
from ._soft_start import after_modified_softmax, soft_start


class SphereFace2(CosineLoss):
    """SphereFace2 with class directions `weight` (C, D) and the parameter `offset` ()."""

    SPEC = LossSpec(
        title="SphereFace2",
        summary="Binary decision of each class with a margin: narrow rays.",
        paper="Wen et al., SphereFace2: Binary Classification is All You Need, ICLR 2022, arXiv 2108.01513",
        equation="L = w/r [l sp(-(r (g(c_y) - m) + b)) + (1 - l) sum_(j != y) sp(r (g(c_j) + m) + b)]",
        kind="classifier",
        tags=("angular", "margin", "no-probabilities"),
        exceptions={"gradcheck": "the slope of g counts as 1 in backward, as in the released code"},
    )
    scale: float = setting(40.0, "scale r", gt=0, sweep="10:80:log:4", paper="40")
    margin: float = setting(
        lambda classes, dim: round(
            min(0.4, 0.524 * (1 - ((1 + math.cos(neighbour_angle(classes, dim))) / 2) ** 3)), 3
        ),
        "margin m of g",
        ge=0,
        le=1,
        sweep="0:0.3:lin:4",
        paper="0.4",
        largest=lambda classes, dim: 1 - ((1 + math.cos(neighbour_angle(classes, dim))) / 2) ** 3,
    )
    t: float = setting(3.0, "exponent of g", gt=0, sweep="1:5:lin:5", paper="3")
    balance: float = setting(
        0.7, "share lambda of the own class", gt=0, lt=1, sweep="0.5:0.9:lin:5", paper="0.7"
    )
    factor: float = setting(50.0, "factor w of the whole loss", gt=0, paper="50")
    soft_start: float = SOFT_START
    fixed: bool = FIXED

    def __post_init__(self) -> None:
        super().__post_init__()
        neighbour = torch.tensor(math.cos(neighbour_angle(self.num_classes, self.feature_dim)))
        self.offset = nn.Parameter(-(1 + self._spread(neighbour)) / 2)

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """The weighted sum of the binary losses of all classes."""
        _, ramp = soft_start(self, features, self.scale)
        cosine = cosines(features, self.weight)
        target_mask = is_target(cosine, labels)
        sign = 1 - 2 * target_mask.to(cosine.dtype)  # -1 for the own class
        spread = cosine + (self._spread(cosine) - cosine).detach()
        excess = self.scale * (spread + ramp * self.margin * sign + self.offset)
        shares = 0.5 + (0.5 - self.balance) * sign  # lambda for the own class, 1 - lambda for others
        values = self.factor / self.scale * (shares * -F.logsigmoid(-sign * excess)).sum(-1)
        return reduce(after_modified_softmax(self, features, labels, values), reduction)

    def _spread(self, cosine: Tensor) -> Tensor:
        """g(c)."""
        return 2 * ((cosine + 1) / 2).clamp(min=0) ** self.t - 1
