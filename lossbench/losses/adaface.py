"""AdaFace: a margin that depends on the feature's length, taken as the quality of the image.

    L = CE(f, y),  f_j = s cos(theta_j) for j != y,  f_y = s (cos(theta_y - m q) - (m + m q)),
    q = clip(h (||x|| - mu) / (sigma + eps), -1, 1)                          (Kim et al. 2022, section 3)

mu and sigma are moving averages of the batch's mean and standard deviation of lengths. Short features
(q = -1) get ArcFace's margin, middling ones CosFace's, long ones (q = 1) the emphasis on hard samples.
In the plane: narrow rays at even angles.

Departures from the paper: scale and margin defaults suit (C, D): long features subtract up to 2m, so
at most half of CosFace's bound can hold. As in the released code lengths are detached and clipped to
0.001 ... 100, mu and sigma start at 20 and 100 and move before the value is taken, and the angle
is clipped to eps ... pi - eps (eps = 1e-3); a batch of one leaves sigma alone. `rate` is 0.01 as in
the paper; the class in the released code has 1, no average at all. `soft_start` is a schedule of ours
that frees clusters stuck on the circle (see geometry.soft_start); it acts only while the buffer
`progress` is below 1, which only lossbench's training loop sets. pytorch-metric-learning has no AdaFace.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import SOFT_START, HyperParameter, LossSpec, largest_cosine_margin, smallest_useful_scale
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
    title="AdaFace",
    summary="A margin that depends on the feature's length, taken as quality.",
    paper="Kim, Jain, Liu, AdaFace: Quality Adaptive Margin, CVPR 2022, arXiv 2204.00964",
    equation="L = CE(f, y),  f_y = s (cos(theta_y - m q) - m - m q),  q = clip(h (||x|| - mu) / sigma)",
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
        "margin": HyperParameter(
            default=lambda classes, dim: round(min(0.4, 0.42 * largest_cosine_margin(classes, dim)), 3),
            low=0,
            high=1,
            help="margin m: on the angle from m to -m, on the cosine from 0 to 2m",
            sweep="0:0.1:lin:5",
            paper="0.4",
            largest=lambda classes, dim: largest_cosine_margin(classes, dim) / 2,
        ),
        "h": HyperParameter(
            default=0.333, low=0, help="how strongly the length counts", sweep="0:1:lin:4", paper="0.333"
        ),
        "rate": HyperParameter(
            default=0.01, low=0, high=1, help="rate at which mu and sigma follow the batch", paper="0.01"
        ),
        "soft_start": SOFT_START,
    },
    exceptions={
        "gradcheck": "the margin depends on the length of x, but the paper lets no gradient through it"
    },
)

EPS = 1e-3


class AdaFace(nn.Module):
    """AdaFace with class directions `weight` (C, D) and the buffers `mu` () and `sigma` ()."""

    mu: Tensor
    sigma: Tensor
    progress: Tensor
    starting = False

    def __init__(
        self,
        num_classes: int,
        feature_dim: int,
        *,
        scale: float | None = None,
        margin: float | None = None,
        h: float = 0.333,
        rate: float = 0.01,
        soft_start: float = 0.3,
    ) -> None:
        super().__init__()
        chosen = SPEC.resolve(
            num_classes, feature_dim, scale=scale, margin=margin, h=h, rate=rate, soft_start=soft_start
        )
        self.scale, self.margin = float(chosen["scale"]), float(chosen["margin"])
        self.h, self.rate = float(chosen["h"]), float(chosen["rate"])
        self.soft_start = float(chosen["soft_start"])
        self.weight = class_weight(num_classes, feature_dim)
        self.register_buffer("mu", torch.tensor(20.0))
        self.register_buffer("sigma", torch.tensor(100.0))
        self.register_buffer("progress", torch.ones(()))

    @full_precision
    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (B, D) and labels (B,) to the mean cross-entropy of the scores with margin."""
        radius, ramp = soft_start(self, features, self.scale)
        x, w = normalize(features), normalize(self.weight)
        cosine, sine = target_cosine_and_sine(x, w, labels)
        shift = self.margin * self._quality(features.detach())
        widened = (angle(cosine, sine) - shift).clamp(EPS, math.pi - EPS)
        target = cosine + ramp * (torch.cos(widened) - self.margin - shift - cosine)
        scores = replace_target(x @ w.T, labels, target)
        return F.cross_entropy(radius * scores, labels)

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Margin-free class scores (B, C): s cos(theta)."""
        return self.scale * cosines(features, self.weight)

    @torch.no_grad()
    def _quality(self, features: Tensor) -> Tensor:
        """q (B,) in [-1, 1]; in training mu and sigma follow the batch first, as in the released code."""
        lengths: Tensor = torch.linalg.vector_norm(features, dim=-1).clamp(1e-3, 100)
        if self.training:
            self.mu += self.rate * (lengths.mean() - self.mu)
            if len(lengths) > 1:
                self.sigma += self.rate * (lengths.std() - self.sigma)
        return (self.h * (lengths - self.mu) / (self.sigma + EPS)).clamp(-1, 1)
