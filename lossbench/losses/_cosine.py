"""The base of the losses on the cosines between features and class directions."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from ..specs import largest_cosine_margin
from ._geometry import (
    class_weight,
    cosines,
    full_precision,
    is_target,
    normalize,
    reduce,
    replace_target,
    target_cosine_and_sine,
)
from ._loss import SampleLoss
from ._soft_start import after_modified_softmax, soft_start


class CosineLoss(SampleLoss):
    """Cross-entropy of s cos(theta) to the class directions `weight` (C, D); a subclass adds a margin.

    With the setting `subcenters` K, `weight` is (C*K, D), row j*K + k being direction k of class j.
    """

    scale: float
    soft_start: float

    def __post_init__(self) -> None:
        rows = self.num_classes * getattr(self, "subcenters", 1)
        self.weight: Tensor = class_weight(rows, self.feature_dim, getattr(self, "fixed", False))

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """The cross-entropy of the scores."""
        radius, ramp = soft_start(self, features, self.current_scale())
        return F.cross_entropy(radius * self._scores(features, labels, ramp), labels, reduction=reduction)

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Margin-free class scores (B, C): s cos(theta)."""
        return self.current_scale() * self.cosines(features)

    def cosines(self, features: Tensor) -> Tensor:
        """The similarity of each feature to each class (B, C): cos(theta)."""
        return cosines(features, self.weight)

    def neighbour_cosine(self) -> float:
        """The cosine between neighbours, if the class directions are as far apart as possible."""
        return 1 - largest_cosine_margin(self.num_classes, self.feature_dim)

    def current_scale(self) -> float | Tensor:
        """The scale s."""
        return self.scale

    def _scores(self, features: Tensor, labels: Tensor, ramp: Tensor) -> Tensor:  # noqa: ARG002 (for subclasses)
        """Training scores (B, C) divided by s; `ramp` () in [0, 1] is the part of the margin that acts."""
        return self.cosines(features)


class AdditiveMarginLoss(CosineLoss):
    """The same with the margin m subtracted from the similarity to the own class."""

    margin: float

    def _scores(self, features: Tensor, labels: Tensor, ramp: Tensor) -> Tensor:
        cosine = self.cosines(features)
        return cosine - ramp * self.margin * is_target(cosine, labels)


class DirectCosineLoss(CosineLoss):
    """A loss on cosines that is not a cross-entropy; until `soft_start` it is the modified softmax."""

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """The values of the samples."""
        _, ramp = soft_start(self, features, self.current_scale())
        cosine = self.cosines(features)
        values = self._values(cosine, is_target(cosine, labels), ramp)
        return reduce(after_modified_softmax(self, features, labels, values), reduction)

    def _values(self, cosine: Tensor, target_mask: Tensor, ramp: Tensor) -> Tensor:
        """Losses (B,) from the cosines (B, C), the mask of own classes (B, C), and the `ramp` ()."""
        raise NotImplementedError


def margin_scores(
    features: Tensor, weight: Tensor, labels: Tensor, ramp: Tensor, target: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """Cosines (B, C), at the own class `target(cos(theta), sin(theta))` (B,) as far as `ramp` () says."""
    x, w = normalize(features), normalize(weight)
    cosine, sine = target_cosine_and_sine(x, w, labels)
    return replace_target(x @ w.T, labels, cosine + ramp * (target(cosine, sine) - cosine))
