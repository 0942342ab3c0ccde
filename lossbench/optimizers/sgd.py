"""SGD: stochastic gradient descent with momentum (Sutskever et al. 2013), the optimizer of most papers."""

from collections.abc import Mapping

import torch
from torch import nn

from ..specs import OptimizerSpec
from ._flat import FlatOptimizer, scaled_parts

SPEC = OptimizerSpec(
    title="SGD",
    summary="gradient descent with momentum",
    source="Sutskever, Martens, Dahl, Hinton, ICML 2013; torch.optim.SGD",
    lr=0.05,
    weight_decay=5e-4,
    momentum=0.9,
    nesterov=False,
)


class SGD(FlatOptimizer):
    """`torch.optim.SGD` in one fused kernel for all parameters; its weight decay is added to the gradient."""

    def __init__(
        self,
        network: nn.Module,
        loss: nn.Module,
        *,
        weight_decay: float,
        momentum: float,
        nesterov: bool,
        lr_scale: Mapping[str, float],
        device: torch.device,
    ) -> None:
        super().__init__(
            scaled_parts(network, loss, lr_scale),
            device,
            torch.optim.SGD,
            weight_decay=weight_decay,
            momentum=momentum,
            nesterov=nesterov,
        )
