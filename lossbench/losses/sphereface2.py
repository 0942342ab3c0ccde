"""SphereFace2: each class decides by itself, with a margin, whether a sample is its own.

    L = w/r 1/B sum_i [ lambda sp(-r (g(c_iy) - m) - b) + (1 - lambda) sum_{j != y} sp(r (g(c_ij) + m) + b) ]
    g(c) = 2 ((c + 1) / 2)^t - 1,  c = cos(theta),  sp(z) = ln(1 + e^z)                  (Wen et al. 2022)

Departures from the paper: m suits (C, D); b is r times the parameter `offset`, which starts half way between
the scores of a perfect sample, not at the least loss for right angles. As in the released code the slope of g
counts as 1 in backward. `soft_start` is ours. In the plane: ten narrow rays. Read:
opensphere/module/head/sphereface2.py of ydwen/opensphere; equation numbers not verified.
"""

from torch import Tensor, nn

from ..specs import FIXED, SOFT_START, LossSpec, largest_binary_margin, margin_setting, setting
from ._cosine import DirectCosineLoss
from ._geometry import softplus


class SphereFace2(DirectCosineLoss):
    """SphereFace2 with class directions `weight` (C, D) and the parameter `offset` ()."""

    SPEC = LossSpec(
        title="SphereFace2",
        summary="Binary decision of each class with a margin: narrow rays.",
        paper="Wen et al., SphereFace2: Binary Classification is All You Need, ICLR 2022, arXiv 2108.01513",
        equation="L = w/r [l sp(-(r (g(c_y) - m) + b)) + (1 - l) sum_(j != y) sp(r (g(c_j) + m) + b)]",
        kind="classifier",
        angular=True,
        probabilities=False,
        exceptions={"gradcheck": "the slope of g counts as 1 in backward, as in the released code"},
    )
    scale: float = setting(40.0, "scale r", gt=0, sweep="10:80:log:4", paper="40")
    margin: float = margin_setting(
        0.524, 0.4, "margin m of g", largest_binary_margin, le=1, sweep="0:0.3:lin:4", paper="0.4"
    )
    t: float = setting(3.0, "exponent of g", gt=0, sweep="1:5:lin:5", paper="3")
    balance: float = setting(0.7, "share of the own class", gt=0, lt=1, sweep="0.5:0.9:lin:5", paper="0.7")
    factor: float = setting(50.0, "factor w of the whole loss", gt=0, paper="50")
    soft_start: float = SOFT_START
    fixed: bool = FIXED

    def __post_init__(self) -> None:
        super().__post_init__()
        self.offset = nn.Parameter(-(((1 + self.weight.new_tensor(self.neighbour_cosine())) / 2) ** self.t))

    def _values(self, cosine: Tensor, target_mask: Tensor, ramp: Tensor) -> Tensor:
        sign = 1 - 2 * target_mask.to(cosine.dtype)  # -1 for the own class
        spread = cosine + (2 * ((cosine + 1) / 2).clamp(min=0) ** self.t - 1 - cosine).detach()
        excess = self.scale * (spread + ramp * self.margin * sign + self.offset)
        shares = 0.5 + (0.5 - self.balance) * sign  # lambda for the own class, 1 - lambda for others
        return self.factor / self.scale * (shares * softplus(sign * excess)).sum(-1)
