"""The base of the losses on the cosines between features and class directions."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from ._geometry import (
    class_weight,
    cosines,
    full_precision,
    normalize,
    replace_target,
    target_cosine_and_sine,
)
from ._loss import SampleLoss
from ._soft_start import soft_start


class CosineLoss(SampleLoss):
    """Cross-entropy of s cos(theta) to the class directions `weight` (C, D); a subclass adds a margin."""

    scale: float
    soft_start: float

    def __post_init__(self) -> None:
        self.weight: Tensor = class_weight(self.num_classes, self.feature_dim, vars(self).get("fixed", False))

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """The cross-entropy of the scores."""
        radius, ramp = soft_start(self, features, self.current_scale())
        return F.cross_entropy(radius * self._scores(features, labels, ramp), labels, reduction=reduction)

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Margin-free class scores (B, C): s cos(theta)."""
        return self.current_scale() * cosines(features, self.weight)

    def current_scale(self) -> float | Tensor:
        """The scale s."""
        return self.scale

    def _scores(self, features: Tensor, labels: Tensor, ramp: Tensor) -> Tensor:  # noqa: ARG002 (for subclasses)
        """Training scores (B, C) divided by s; `ramp` () in [0, 1] is the part of the margin that acts."""
        return cosines(features, self.weight)


def margin_scores(
    features: Tensor,
    weight: Tensor,
    labels: Tensor,
    ramp: Tensor,
    target: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """Cosines (B, C), at the own class `target(cos(theta), sin(theta))` (B,) as far as `ramp` () says."""
    x, w = normalize(features), normalize(weight)
    cosine, sine = target_cosine_and_sine(x, w, labels)
    return replace_target(x @ w.T, labels, cosine + ramp * (target(cosine, sine) - cosine))
