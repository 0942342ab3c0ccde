"""A weighted sum of losses, itself a loss: `softmax + 0.003*center`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


class WeightedSum(nn.Module):
    """sum_k weight_k * loss_k, with the value of each term at hand.

    A term of weight 0 is computed without gradient: its state moves, and the sum is bit for bit the
    sum without it.
    """

    def __init__(self, losses: Mapping[str, nn.Module], weights: Sequence[float]) -> None:
        super().__init__()
        self.names = list(losses)
        self.weights = list(weights)
        # ModuleDict forbids dots in keys, and names like "module:Class" have them
        self.losses = nn.ModuleList(losses.values())

    def advance(self, progress: float) -> bool:
        """Tell every term how far the training is, from 0 to 1, in its buffer `progress`.

        Returns whether a soft start began or ended: then a step does something else than before.
        """
        changed = False
        for module in self.losses.modules():
            if isinstance(clock := getattr(module, "progress", None), Tensor):
                clock.fill_(progress)
            if hasattr(module, "starting"):
                starting = progress < 2 * float(module.soft_start)  # type: ignore[arg-type]
                changed |= starting != module.starting
                module.starting = starting  # type: ignore[assignment]
        return changed

    def terms(self, features: Tensor, labels: Tensor) -> list[Tensor]:
        """The value of each term, without its weight."""
        values = []
        for loss, weight in zip(self.losses, self.weights, strict=True):
            with torch.set_grad_enabled(torch.is_grad_enabled() and weight != 0):
                values.append(loss(features, labels))
        return values

    def total(self, values: Sequence[Tensor]) -> Tensor:
        """The weighted sum of the values that `terms` gave."""
        parts = [value * weight for value, weight in zip(values, self.weights, strict=True) if weight != 0]
        return sum(parts[1:], parts[0]) if parts else torch.zeros_like(values[0], requires_grad=True)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (B, D) and labels (B,) to the weighted sum."""
        return self.total(self.terms(features, labels))

    def classifier(self) -> nn.Module | None:
        """The first term that has class scores."""
        return next((loss for loss in self.losses if hasattr(loss, "logits")), None)

    def directions(self, name: str) -> Tensor | None:
        """The first `weight`, `bias` or `centers` among the terms."""
        found = (getattr(loss, name, None) for loss in self.losses)
        return next((value.detach() for value in found if isinstance(value, Tensor)), None)
