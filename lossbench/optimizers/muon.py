"""Muon: momentum whose update of each weight matrix is made orthogonal.

    m <- mu m + (1 - mu) g,   u = mu m + (1 - mu) g (Nesterov) or m,   W <- W - lr sqrt(max(1, n / k)) NS(u)

for a matrix (n, k); a convolution (out, in, height, width) is the matrix (out, in x height x width). NS is
three Newton-Schulz iterations, which bring singular values nearer to 1. (The public code takes five; on
MNIST the accuracies are the same within their errors.) The matrices before the feature layer are trained so;
feature layer, batch norm, biases and the loss by AdamW.

Source: Jordan et al., Muon: an optimizer for hidden layers in neural networks, 2024, and its public code.
torch.optim.Muon takes two-dimensional parameters only.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..specs import OptimizerSpec
from ._flat import FlatOptimizer, FlatParameters

SPEC = OptimizerSpec(
    title="Muon",
    summary="orthogonal momentum for the matrices before the feature layer, AdamW for the rest",
    source="Jordan et al. 2024, https://kellerjordan.github.io/posts/muon",
    lr=0.05,
    weight_decay=5e-4,
    momentum=0.9,
    nesterov=True,
)
ADAMW_SCALE = 0.16
"""The rate of AdamW as a part of Muon's: 0.008 at the default."""
BETAS = (0.9, 0.99)
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the public code
_ITERATIONS = 3
_LARGE = 2**16  # numbers in a matrix; smaller ones hardly gain


class Muon:
    """Muon for the matrices of the network before its last one, AdamW for all other parameters."""

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
        self.momentum, self.nesterov, self.weight_decay = momentum, nesterov, weight_decay
        self._lr_scale = lr_scale["network"]
        matrices = [p for p in network.parameters() if p.ndim >= 2][:-1]  # the last is the feature layer
        others = [p for p in network.parameters() if all(p is not matrix for matrix in matrices)]
        adamw_scale = {name: ADAMW_SCALE * scale for name, scale in lr_scale.items()}
        self._adamw = FlatOptimizer(
            [(others, adamw_scale["network"]), (list(loss.parameters()), adamw_scale["loss"])],
            device,
            torch.optim.AdamW,
            betas=BETAS,
            weight_decay=weight_decay,
            capturable=device.type == "cuda",
        )
        by_shape: dict[tuple[object, ...], list[nn.Parameter]] = {}
        for matrix in matrices:
            if matrix.requires_grad:
                by_shape.setdefault((matrix.dtype, len(matrix), matrix[0].numel()), []).append(matrix)
        self._batches = [_Batch(group) for group in by_shape.values()]

    @property
    def rate(self) -> float | Tensor:
        """The learning rate of the matrices."""
        return self._adamw.rate

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the next steps."""
        self._adamw.set_rate(rate)

    @torch.no_grad()
    def step(self) -> None:
        """Update the parameters and set their gradients to zero."""
        self._adamw.step()
        rate = self.rate * self._lr_scale
        for batch in self._batches:
            batch.momentum.lerp_(batch.gradients, 1 - self.momentum)
            updates = batch.momentum
            if self.nesterov:
                updates = batch.gradients.lerp_(batch.momentum, self.momentum)
            rows, columns = updates.shape[1:]
            updates = orthogonalize(updates).mul_(rate * max(1, rows / columns) ** 0.5)
            batch.values.mul_(1 - rate * self.weight_decay).sub_(updates)
            batch.gradients.zero_()

    def state_dict(self) -> dict[str, Any]:
        """The momentum of each matrix and the state of AdamW."""
        momenta = [view.clone() for batch in self._batches for view in batch.flat.views(batch.flat_momentum)]
        return {"momenta": momenta, "adamw": self._adamw.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state, on any device. Raises ValueError for a state of other parameters."""
        views = [view for batch in self._batches for view in batch.flat.views(batch.flat_momentum)]
        stored = state["momenta"]
        if [view.shape for view in views] != [momentum.shape for momentum in stored]:
            raise ValueError("its momentum is of other matrices")
        for view, momentum in zip(views, stored, strict=True):
            view.copy_(momentum)
        self._adamw.load_state_dict(state["adamw"])


class _Batch:
    """Matrices of one shape as tensors (K, n, k): their values, gradients and momentum."""

    def __init__(self, matrices: list[nn.Parameter]) -> None:
        self.flat = FlatParameters(matrices)
        self.flat_momentum = torch.zeros_like(self.flat.gradients)
        rows, columns = len(matrices[0]), matrices[0][0].numel()
        shape = (len(matrices), rows, columns)
        strides = (self.flat_momentum.numel() // len(matrices), columns, 1)
        self.values, self.gradients, self.momentum = (
            tensor.as_strided(shape, strides)
            for tensor in (self.flat.values.data, self.flat.gradients, self.flat_momentum)
        )


def orthogonalize(matrices: Tensor) -> Tensor:
    """Matrices (K, n, k) with singular values near 1 and the same singular vectors, by Newton-Schulz."""
    wide = matrices.shape[1] <= matrices.shape[2]
    values = matrices if wide else matrices.mT
    values = values / (values.norm(dim=(1, 2), keepdim=True) + 1e-7)
    rows, columns = values.shape[1:]
    iterate = _iterate_by_factors if columns >= 4 * rows and rows * columns >= _LARGE else _iterate
    values = iterate(values)
    return values if wide else values.mT


def _iterate(values: Tensor) -> Tensor:
    """X <- a X + (b X X^T + c (X X^T)^2) X, three times."""
    a, b, c = _COEFFICIENTS
    for _ in range(_ITERATIONS):
        products = values @ values.mT
        polynomials = torch.baddbmm(products, products, products, beta=b, alpha=c)
        values = torch.baddbmm(values, polynomials, values, beta=a)
    return values


def _iterate_by_factors(values: Tensor) -> Tensor:
    """The same but for rounding: P_3 P_2 P_1 X, where P = a + b G + c G^2, and G <- P G P begins as X X^T.

    Only two products have the size of X, not six: 0.93 instead of 1.43 ms for (128, 512) on one core.
    """
    products = values @ values.mT
    factor = result = _factor(products)
    for _ in range(_ITERATIONS - 1):
        products = factor @ products @ factor
        factor = _factor(products)
        result = factor @ result
    return result @ values


def _factor(products: Tensor) -> Tensor:
    a, b, c = _COEFFICIENTS
    factor = torch.baddbmm(products, products, products, beta=b, alpha=c)
    factor.diagonal(dim1=1, dim2=2).add_(a)
    return factor
