"""UniFace (unified cross-entropy): one threshold for all classes between own and other cosines.

    L = 1/B sum_i [ sp(-(s (c_iy - m) - b)) + sum_{j != y_i} sp(s c_ij - b) ],  c = cos(theta)
                                                            sp(z) = ln(1 + e^z)        (Zhou et al. 2023)

Each class decides by itself whether a sample is its own, and b, which is learned, is the same for all: own
scores exceed b, all others stay below. In the plane: ten narrow rays.

Departures from the paper: scale and margin suit (C, D), because a threshold fits between own cosines and
those of the neighbours only if m is small enough. In the plane ten directions are 36 degrees apart, so m <=
0.19. The bias b is s times the parameter `threshold`, so that it is learned as fast as cosines change, and
starts half way between the cosines of a perfect sample, where the released code starts at ln(10 C). That
code also clamps the scores to +-s. Partial sampling of the classes is left out. `soft_start` is ours (see
_soft_start.py): first the modified softmax. Read: head.py of CVI-SZU/UniFace; equation numbers not verified.
pytorch-metric-learning has no counterpart.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import FIXED, SCALE, SOFT_START, LossSpec, cosine_margin_setting, neighbour_angle
from ._cosine import CosineLoss
from ._geometry import cosines, is_target, reduce
from ._soft_start import after_modified_softmax, soft_start


class UniFace(CosineLoss):
    """UniFace with class directions `weight` (C, D) and the parameter `threshold` (), a cosine."""

    SPEC = LossSpec(
        title="UniFace",
        summary="One learned threshold between own and other cosines: narrow rays.",
        paper="Zhou et al., UniFace: Unified Cross-Entropy Loss for Deep Face Recognition, ICCV 2023",
        equation="L = sp(b - s (c_y - m)) + sum_(j != y) sp(s c_j - b),  sp(z) = ln(1 + e^z)",
        kind="classifier",
        tags=("angular", "margin", "no-probabilities"),
    )
    scale: float = SCALE
    margin: float = cosine_margin_setting(
        0.524, 0.4, "cosine m subtracted from the own class", sweep="0:0.2:lin:5", paper="0.4"
    )
    soft_start: float = SOFT_START
    fixed: bool = FIXED

    def __post_init__(self) -> None:
        super().__post_init__()
        neighbour = math.cos(neighbour_angle(self.num_classes, self.feature_dim))
        self.threshold = nn.Parameter(torch.tensor((1 - self.margin + neighbour) / 2))

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """The sum of the binary losses of all classes."""
        _, ramp = soft_start(self, features, self.scale)
        cosine = cosines(features, self.weight)
        target_mask = is_target(cosine, labels)
        excess = self.scale * (cosine - ramp * self.margin * target_mask - self.threshold)
        values = -F.logsigmoid(torch.where(target_mask, excess, -excess)).sum(
            -1
        )  # softplus is rounded above 20
        return reduce(after_modified_softmax(self, features, labels, values), reduction)
