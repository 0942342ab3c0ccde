"""AdamW: Adam whose weight decay is apart from the gradient (Loshchilov and Hutter 2019, algorithm 2)."""

from collections.abc import Mapping

import torch
from torch import nn

from ..specs import OptimizerSpec
from ._flat import FlatOptimizer, scaled_parts

SPEC = OptimizerSpec(
    title="AdamW",
    summary="Adam with decoupled weight decay",
    source="Loshchilov and Hutter, ICLR 2019, arXiv 1711.05101",
    lr=0.008,
    weight_decay=5e-4,
)
BETAS = (0.9, 0.99)


class AdamW(FlatOptimizer):
    """`torch.optim.AdamW` in one fused kernel for all parameters."""

    def __init__(
        self,
        network: nn.Module,
        loss: nn.Module,
        *,
        weight_decay: float,
        lr_scale: Mapping[str, float],
        device: torch.device,
    ) -> None:
        super().__init__(
            scaled_parts(network, loss, lr_scale),
            device,
            torch.optim.AdamW,
            betas=BETAS,
            weight_decay=weight_decay,
            capturable=device.type == "cuda",
        )
