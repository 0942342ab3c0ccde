"""Combined margin: a factor and an addend on the angle to the own class, and a margin on its cosine.

    L = CE(f, y),  f_j = s cos(theta_j) for j != y,  f_y = s (cos(m1 theta_y + m2) - m3)
                                                                              (Deng et al. 2019, eq. 4)

(1, 0, 0) is NormFace, (1, 0, m) CosFace, (1, m, 0) ArcFace as its equation stands; (m, 0, 0) is
SphereFace's margin on features of length s. In the plane: narrow rays at even angles.

Departures from the paper: with a = m1 theta + m2 past pi the cosine would rise again, so that a worse
angle scores better. `monotone` (default) continues it by SphereFace's (-1)^k cos(a) - 2k, k = floor(a/pi):
continuous and falling, and the equation itself up to pi; off, it is the equation alone. The authors'
later PyTorch code ignores m1 and m2 where m3 > 0; here all three act. Defaults suit (C, D). `soft_start`
is a schedule of ours that frees clusters stuck on the circle (see geometry.soft_start); it acts only
while the buffer `progress` is below 1, which only lossbench's training loop sets.
pytorch-metric-learning has the special cases only.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import (
    SOFT_START,
    HyperParameter,
    LossSpec,
    largest_angular_margin,
    largest_cosine_margin,
    smallest_useful_scale,
)
from ._geometry import (
    angle,
    class_weight,
    cosines,
    full_precision,
    normalize,
    replace_target,
    soft_start,
    target_cosine_and_sine,
)

SPEC = LossSpec(
    title="Combined margin",
    summary="Margins m1, m2, m3 on angle and cosine at once: SphereFace, ArcFace, CosFace in one.",
    paper="Deng et al., ArcFace: Additive Angular Margin Loss, CVPR 2019, arXiv 1801.07698, eq. 4",
    equation="L = CE(f, y),  f_j = s cos(theta_j),  f_y = s (cos(m1 theta_y + m2) - m3)",
    kind="classifier",
    tags=("angular", "margin"),
    settings={
        "scale": HyperParameter(
            default=lambda _, dim: max(16.0, min(64.0, 8.0 * dim)),
            low=0,
            low_open=True,
            help="length s given to the features",
            sweep="8:64:log:4",
            paper="64",
            smallest=smallest_useful_scale,
        ),
        "m1": HyperParameter(
            default=1.0,
            low=0,
            low_open=True,
            high=8,
            help="factor on the angle to the own class",
            sweep="0.8:1.4:lin:4",
            paper="1 (CM1), 0.9 (CM2)",
        ),
        "m2": HyperParameter(
            default=lambda classes, dim: round(min(0.3, 0.318 * largest_angular_margin(classes, dim)), 3),
            low=0,
            high=3.141592653589793,
            unit="rad",
            help="angle added to the own class",
            sweep="0:0.4:lin:5",
            paper="0.3 (CM1), 0.4 (CM2)",
            largest=largest_angular_margin,
        ),
        "m3": HyperParameter(
            default=lambda classes, dim: round(min(0.2, 0.262 * largest_cosine_margin(classes, dim)), 3),
            low=0,
            high=2,
            help="cosine subtracted from the own class",
            sweep="0:0.15:lin:4",
            paper="0.2 (CM1), 0.15 (CM2)",
            largest=largest_cosine_margin,
        ),
        "monotone": HyperParameter(
            default=True, help="keep falling where m1 theta + m2 passes pi", paper="false (the equation)"
        ),
        "soft_start": SOFT_START,
    },
)


class CombinedMargin(nn.Module):
    """Combined margin with class directions `weight` (C, D); None takes the default of (C, D)."""

    progress: Tensor
    starting = False

    def __init__(
        self,
        num_classes: int,
        feature_dim: int,
        *,
        scale: float | None = None,
        m1: float = 1.0,
        m2: float | None = None,
        m3: float | None = None,
        monotone: bool = True,
        soft_start: float = 0.3,
    ) -> None:
        super().__init__()
        chosen = SPEC.resolve(
            num_classes,
            feature_dim,
            scale=scale,
            m1=m1,
            m2=m2,
            m3=m3,
            monotone=monotone,
            soft_start=soft_start,
        )
        self.scale, self.monotone = float(chosen["scale"]), bool(chosen["monotone"])
        self.m1, self.m2, self.m3 = (float(chosen[name]) for name in ("m1", "m2", "m3"))
        self.soft_start = float(chosen["soft_start"])
        self.weight = class_weight(num_classes, feature_dim)
        self.register_buffer("progress", torch.ones(()))

    @full_precision
    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (B, D) and labels (B,) to the mean cross-entropy of the scores with margin."""
        radius, ramp = soft_start(self, features, self.scale)
        x, w = normalize(features), normalize(self.weight)
        cosine, sine = target_cosine_and_sine(x, w, labels)
        target = cosine + ramp * (self._with_margin(cosine, sine) - cosine)
        scores = replace_target(x @ w.T, labels, target)
        return F.cross_entropy(radius * scores, labels)

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Margin-free class scores (B, C): s cos(theta)."""
        return self.scale * cosines(features, self.weight)

    def _with_margin(self, cosine: Tensor, sine: Tensor) -> Tensor:
        widened = self.m1 * angle(cosine, sine) + self.m2
        if not self.monotone:
            return torch.cos(widened) - self.m3
        turns = torch.floor(widened.detach() / math.pi)
        return (1 - 2 * (turns % 2)) * torch.cos(widened) - 2 * turns - self.m3
