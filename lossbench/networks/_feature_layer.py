"""The last layer of every network: D numbers, linear, always float32."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FeatureLayer(nn.Linear):
    """Flattens (B, ...) and maps it to features (B, D) in float32, also under autocast: two bf16 numbers
    would put all points on a visible grid. No activation: a ReLU would confine them to one quadrant."""

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden values (B, ...) of any floating type to features (B, D)."""
        with torch.autocast(hidden.device.type, enabled=False):
            return F.linear(hidden.flatten(1).to(self.weight.dtype), self.weight, self.bias)
