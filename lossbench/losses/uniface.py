"""UniFace (unified cross-entropy): one threshold for all classes between own and other cosines.

    L = 1/B sum_i [ sp(-(s (c_iy - m) - b)) + sum_{j != y_i} sp(s c_ij - b) ],  c = cos(theta)
                                                            sp(z) = ln(1 + e^z)        (Zhou et al. 2023)

Own scores exceed b, which is learned, all others stay below. In the plane: ten narrow rays. Departures from
the paper: scale and margin suit (C, D). b is s times the parameter `threshold`, which starts half way between
the cosines of a perfect sample, in the released code at ln(10 C). That code also clamps the scores to +-s.
Partial sampling of the classes is left out. `soft_start` is ours. Read: head.py of
CVI-SZU/UniFace; equation numbers not verified.
"""

import torch
from torch import Tensor, nn

from ..specs import FIXED, SCALE, SOFT_START, LossSpec, margin_setting
from ._cosine import DirectCosineLoss
from ._geometry import softplus


class UniFace(DirectCosineLoss):
    """UniFace with class directions `weight` (C, D) and the parameter `threshold` (), a cosine."""

    SPEC = LossSpec(
        title="UniFace",
        summary="One learned threshold between own and other cosines: narrow rays.",
        paper="Zhou et al., UniFace: Unified Cross-Entropy Loss for Deep Face Recognition, ICCV 2023",
        equation="L = sp(b - s (c_y - m)) + sum_(j != y) sp(s c_j - b),  sp(z) = ln(1 + e^z)",
        kind="classifier",
        angular=True,
        probabilities=False,
    )
    scale: float = SCALE
    margin: float = margin_setting(
        0.524, 0.4, "cosine m subtracted from the own class", sweep="0:0.2:lin:5", paper="0.4"
    )
    soft_start: float = SOFT_START
    fixed: bool = FIXED

    def __post_init__(self) -> None:
        super().__post_init__()
        self.threshold = nn.Parameter(torch.tensor((1 - self.margin + self.neighbour_cosine()) / 2))

    def _values(self, cosine: Tensor, target_mask: Tensor, ramp: Tensor) -> Tensor:
        excess = self.scale * (cosine - ramp * self.margin * target_mask - self.threshold)
        return softplus(torch.where(target_mask, -excess, excess)).sum(-1)
