"""AdaCos: normalised softmax whose scale follows the batch, so that there is none to choose.

    L = CE(f, y),  f_j = s cos(theta_j)
                                                     (Zhang et al. 2019, section 4, number not verified)
    s <- ln(B_avg) / cos(min(pi/4, theta_med)),  B_avg = 1/B sum_i sum_(j != y_i) exp(s cos(theta_ij))

with theta_med the median angle to the own class and s = sqrt(2) ln(C - 1) at the start, or for good
if `dynamic` is off. In the plane: ten rays at even angles and a soft loss, because the rule holds a
perfect sample at p = 1/2, which ten directions in a plane reach with s = 4.3 already.

Departures from the paper: s stays within 1 ... 64, because the rule gives 0 or less for two classes that are
far apart. In a plane it would grow without end while theta_med is above 45 degrees. Of an even batch the
larger middle angle is the median. Evaluation uses the last s. `soft_start` is ours; s
rests in its first part. Public code (4uiiurz1) takes the smaller middle angle; pytorch-metric-learning has
no AdaCos.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import FIXED, SOFT_START, LossSpec, setting
from ._geometry import class_weight, cosines, full_precision, is_target
from ._loss import SampleLoss
from ._soft_start import soft_start

SMALLEST, LARGEST = 1.0, 64.0


class AdaCos(SampleLoss):
    """AdaCos with class directions `weight` (C, D) and the buffer `scale` ()."""

    SPEC = LossSpec(
        title="AdaCos",
        summary="Scaled cosines whose scale follows the batch: no setting to choose.",
        paper="Zhang et al., AdaCos: Adaptively Scaling Cosine Logits, CVPR 2019, arXiv 1905.00292",
        equation="L = CE(f, y),  f_j = s cos(theta_j),  s <- ln(B_avg) / cos(min(pi/4, theta_med))",
        kind="classifier",
        angular=True,
        exceptions={
            "gradcheck": "the scale is computed from the batch, but the paper lets no gradient through it"
        },
    )
    dynamic: bool = setting(True, "let the scale follow the batch (off: sqrt(2) ln(C-1))", paper="true")
    soft_start: float = SOFT_START
    fixed: bool = FIXED

    def __post_init__(self) -> None:
        self.weight = class_weight(self.num_classes, self.feature_dim, self.fixed)
        start = math.sqrt(2) * math.log(max(self.num_classes - 1, 1))
        self.scale: Tensor = nn.Buffer(torch.tensor(max(SMALLEST, min(LARGEST, start))))

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """The cross-entropy at the scale of this batch."""
        scores = cosines(features, self.weight)
        moving = self.training and self.dynamic
        scale = self._next_scale(scores.detach(), labels) if moving else self.scale
        radius, _ = soft_start(self, features, scale)
        value = F.cross_entropy(radius * scores, labels, reduction=reduction)
        if moving:
            self.move_state(value, scale=torch.where(self.progress < self.soft_start, self.scale, scale))
        return value

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Class scores (B, C): s cos(theta) at the last scale."""
        return self.scale * cosines(features, self.weight)

    def _next_scale(self, scores: Tensor, labels: Tensor) -> Tensor:
        """The next scale from the cosines (B, C) of a batch."""
        others = (self.scale * scores).masked_fill(is_target(scores, labels), -math.inf)
        log_sum = torch.logsumexp(others.flatten(), 0) - math.log(len(labels))
        # cos(min(pi/4, median angle)) without leaving cosines; median() takes the lower middle one
        median = scores.gather(1, labels.unsqueeze(1)).flatten().median().clamp(min=math.sqrt(0.5))
        return (log_sum / median).clamp(SMALLEST, LARGEST)
