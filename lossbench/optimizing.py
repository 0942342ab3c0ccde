"""AdamW with a rate that rises and falls; on CUDA all that a recorded step reads stays where it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

WARM_UP = 0.2
"""Fraction of the steps during which the learning rate rises."""
BETAS = (0.9, 0.99)


def learning_rate(progress: float, peak: float) -> float:
    """The rate at `progress` in [0, 1): a linear rise to `peak` during WARM_UP, then linear to zero."""
    rise = (progress + 1e-3) / WARM_UP
    return peak * min(rise, (1 - progress) / (1 - WARM_UP))


class Optimizer:
    """AdamW in one fused kernel; its rate is a tensor on CUDA, where a graph would freeze a number."""

    def __init__(self, parameters: Iterable[nn.Parameter], weight_decay: float, device: torch.device) -> None:
        self.recordable = device.type == "cuda"
        self.rate: float | Tensor = torch.zeros((), device=device) if self.recordable else 0.0
        self.adamw = torch.optim.AdamW(
            parameters,
            lr=self.rate,
            betas=BETAS,
            weight_decay=weight_decay,
            fused=device.type in ("cpu", "cuda"),
            capturable=self.recordable,
        )

    def set_rate(self, rate: float) -> None:
        """The learning rate of the next steps."""
        self.rate = self.rate.fill_(rate) if isinstance(self.rate, Tensor) else rate
        for group in self.adamw.param_groups:
            group["lr"] = self.rate

    def step(self) -> None:
        """Move the parameters and forget the gradients."""
        self.adamw.step()
        self.adamw.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs."""
        return self.adamw.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state, also one that was saved on another kind of device."""
        self.adamw.load_state_dict(state)
        for group in self.adamw.param_groups:
            group["capturable"] = self.recordable
        self.set_rate(float(self.adamw.param_groups[0]["lr"]))
