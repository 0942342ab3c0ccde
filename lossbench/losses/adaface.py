"""AdaFace: a margin that depends on the feature's length, taken as the quality of the image.

    L = CE(f, y),  f_j = s cos(theta_j) for j != y,  f_y = s (cos(theta_y - m q) - (m + m q)),
    q = clip(h (||x|| - mu) / (sigma + eps), -1, 1)
                                                                            (Kim et al. 2022, section 3)

mu and sigma are moving averages of the batch's mean and standard deviation of lengths. Short features
(q = -1) get ArcFace's margin, middling ones CosFace's, long ones (q = 1) the emphasis on hard samples.
In the plane: narrow rays at even angles.

Departures from the paper: scale and margin defaults suit (C, D): long features subtract up to 2m, so at
most half of CosFace's bound can hold. As in the released code lengths are detached and clipped to 0.001 ...
100, mu and sigma start at 20 and 100 and move before the value is taken, and the angle is clipped to eps
... pi - eps (eps = 1e-3); a batch of one leaves sigma alone. `rate` is 0.01, the released option: the paper
prints mu = alpha batch + (1 - alpha) old with alpha = 0.99. The released code also clips every cosine to
+-0.999, which is left out here. `soft_start` is ours.
pytorch-metric-learning has no AdaFace.
"""

import math

import torch
from torch import Tensor, nn

from ..specs import FIXED, SCALE, SOFT_START, LossSpec, largest_cosine_margin, setting
from ._cosine import CosineLoss, margin_scores
from ._geometry import angle

EPS = 1e-3


class AdaFace(CosineLoss):
    """AdaFace with class directions `weight` (C, D) and the buffers `mu` () and `sigma` ()."""

    SPEC = LossSpec(
        title="AdaFace",
        summary="A margin that depends on the feature's length, taken as quality.",
        paper="Kim, Jain, Liu, AdaFace: Quality Adaptive Margin, CVPR 2022, arXiv 2204.00964",
        equation="L = CE(f, y),  f_y = s (cos(theta_y - m q) - m - m q),  q = clip(h (||x|| - mu) / sigma)",
        kind="classifier",
        angular=True,
        exceptions={
            "gradcheck": "the margin depends on the length of x, but the paper lets no gradient through it"
        },
    )
    scale: float = SCALE
    margin: float = setting(
        lambda classes, dim: round(min(0.4, 0.42 * largest_cosine_margin(classes, dim)), 3),
        "margin m: on the angle from m to -m, on the cosine from 0 to 2m",
        ge=0,
        le=1,
        sweep="0:0.1:lin:5",
        paper="0.4",
        largest=lambda classes, dim: largest_cosine_margin(classes, dim) / 2,
    )
    h: float = setting(0.333, "how strongly the length counts", ge=0, sweep="0:1:lin:4", paper="0.333")
    rate: float = setting(
        0.01, "rate at which mu and sigma follow the batch", ge=0, le=1, paper="0.99 (released option: 0.01)"
    )
    soft_start: float = SOFT_START
    fixed: bool = FIXED

    def __post_init__(self) -> None:
        super().__post_init__()
        self.mu: Tensor = nn.Buffer(torch.tensor(20.0))
        self.sigma: Tensor = nn.Buffer(torch.tensor(100.0))

    def _scores(self, features: Tensor, labels: Tensor, ramp: Tensor) -> Tensor:
        lengths: Tensor = torch.linalg.vector_norm(features.detach(), dim=-1)
        self._follow(lengths)  # first, as in the released code
        quality = (self.h * (lengths.clamp(1e-3, 100) - self.mu) / (self.sigma + EPS)).clamp(-1, 1)
        shift = self.margin * quality

        def target(cosine: Tensor, sine: Tensor) -> Tensor:
            widened = (angle(cosine, sine) - shift).clamp(EPS, math.pi - EPS)
            return torch.cos(widened) - self.margin - shift

        return margin_scores(features, self.weight, labels, ramp, target)

    def _follow(self, lengths: Tensor) -> None:
        """Let mu and sigma follow the feature lengths (B,) in training."""
        clipped = lengths.clamp(1e-3, 100)
        sigma = self.sigma
        if len(lengths) > 1:
            sigma = sigma + self.rate * (clipped.std() - sigma)
        self.move_state(lengths, mu=self.mu + self.rate * (clipped.mean() - self.mu), sigma=sigma)
