"""AdamW: Adam whose weight decay is apart from the gradient (Loshchilov and Hutter 2019, algorithm 2)."""

from __future__ import annotations

import torch

from ..specs import OptimizerSpec
from ._flat import FlatOptimizer
from ._interface import Parameters

SPEC = OptimizerSpec(
    title="AdamW",
    summary="Adam with decoupled weight decay",
    source="Loshchilov and Hutter, ICLR 2019, arXiv 1711.05101",
    lr=0.008,
    weight_decay=5e-4,
)
BETAS = (0.9, 0.99)


class AdamW(FlatOptimizer):
    """`torch.optim.AdamW` in one fused kernel for all parameters, whatever their role."""

    def __init__(self, parameters: Parameters, *, weight_decay: float, device: torch.device) -> None:
        super().__init__(
            [*parameters["network"], *parameters["loss"]],
            device,
            torch.optim.AdamW,
            betas=BETAS,
            weight_decay=weight_decay,
            capturable=device.type == "cuda",
        )
