"""Proxy-NCA: one learned proxy per class; each sample goes to its own and away from all others.

    L = -log(exp(-d(x, p_y)) / sum_{j != y} exp(-d(x, p_j))),  d = s |x - p|^2,  |x| = |p| = 1
                       (Movshovitz-Attias et al. 2017, eq. 4, equation number not verified; there s = 1)

The own proxy is not in the sum, so the value may be negative and a sample is pulled however close it is.
With `positive_included` it is in the sum, and the loss is the normalised softmax of scale 2s, because
|x - p|^2 = 2 - 2 cos(theta): this is the form of pytorch-metric-learning's ProxyNCALoss (softmax_scale = s)
and of most public code. In the plane: ten narrow rays.

Departures from the paper: the scale, and the mean over the batch. Without the scale ten proxies in a plane
cannot be told apart. `soft_start` is ours: it begins with the modified softmax, because
without the own proxy in the sum free lengths would grow without bound, and then takes the own proxy out of
the sum step by step.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..specs import FIXED, LossSpec, setting, smallest_useful_scale, soft_start_setting
from ._cosine import CosineLoss
from ._geometry import cosines, full_precision, is_target, reduce
from ._soft_start import soft_start


class ProxyNCA(CosineLoss):
    """Proxy-NCA with the proxies `weight` (C, D)."""

    SPEC = LossSpec(
        title="Proxy-NCA",
        summary="A proxy per class, the own one outside the softmax sum: narrow rays.",
        paper="Movshovitz-Attias et al., No Fuss Distance Metric Learning using Proxies, ICCV 2017, "
        "arXiv 1703.07464, eq. 4 (equation number not verified)",
        equation="L = s d(x, p_y) + log sum_(j != y) exp(-s d(x, p_j)),  d = |x - p|^2 of unit vectors",
        kind="classifier",
        angular=True,
    )
    scale: float = setting(
        12.0,
        "factor s of the squared distances",
        gt=0,
        sweep="4:32:log:4",
        paper="1",
        smallest=lambda classes, dim: smallest_useful_scale(classes, dim) / 2,
    )
    positive_included: bool = setting(
        False, "let the own proxy count in the sum, as public code does", paper="false"
    )
    soft_start: float = soft_start_setting(0.5)
    fixed: bool = FIXED

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """The softmax against the other proxies."""
        # -s |x - p|^2 = 2s cos(theta) - 2s, and the constant cancels between numerator and sum
        radius, ramp = soft_start(self, features, 2 * self.scale)
        scores = radius * cosines(features, self.weight)
        if self.positive_included:
            return F.cross_entropy(scores, labels, reduction=reduction)
        target_mask = is_target(scores, labels)
        # finite, because -inf would make NaN gradients; exp(-1e9) is 0 all the same
        log_share = torch.log1p(-ramp).clamp(min=-1e9)
        log_sum = torch.logsumexp(scores + target_mask * log_share, dim=1)
        return reduce(log_sum - scores.masked_fill(~target_mask, 0).sum(1), reduction)

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Class scores (B, C): 2s cos(theta), which is -s |x - p|^2 up to a constant."""
        return 2 * self.scale * cosines(features, self.weight)
