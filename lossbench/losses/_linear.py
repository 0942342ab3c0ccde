"""The base of the losses on linear class scores."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ._geometry import class_weight, full_precision
from ._loss import SampleLoss


class LinearLoss(SampleLoss):
    """A loss on the class scores W x + b, with `weight` (C, D), and `bias` (C,) if the setting is true."""

    def __post_init__(self) -> None:
        self.weight: Tensor = class_weight(self.num_classes, self.feature_dim, vars(self).get("fixed", False))
        with_bias = vars(self).pop("bias", False)  # the parameter takes the place of the setting
        self.register_parameter("bias", nn.Parameter(torch.zeros(self.num_classes)) if with_bias else None)

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Class scores (B, C)."""
        return F.linear(features, self.weight, self._parameters["bias"])
