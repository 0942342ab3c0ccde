"""Muon: momentum whose update of each weight matrix is made orthogonal.

    m <- mu m + (1 - mu) g,   u = mu m + (1 - mu) g (Nesterov) or m,   W <- W - lr sqrt(max(1, n / k)) NS(u)

for a matrix (n, k); a convolution (out, in, height, width) is the matrix (out, in x height x width). NS is
three Newton-Schulz iterations, which bring singular values nearer to 1. (The public code takes five; on
MNIST the accuracies are the same within their errors.) The matrices before the feature layer are trained so;
feature layer, batch norm, biases and the loss by AdamW.

Source: Jordan et al., Muon: an optimizer for hidden layers in neural networks, 2024, and its public code.
torch.optim.Muon takes two-dimensional parameters only.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..specs import OptimizerSpec
from ._flat import FlatOptimizer, FlatParameters, aligned

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
_PADDED = 2**22  # numbers in the batch of all matrices; of larger ones the arithmetic counts


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
        by_dtype: dict[torch.dtype, list[nn.Parameter]] = {}
        for matrix in matrices:
            if matrix.requires_grad:
                by_dtype.setdefault(matrix.dtype, []).append(matrix)
        self._groups = [_Matrices(group, on_gpu=device.type == "cuda") for group in by_dtype.values()]

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
        for group in self._groups:
            group.momentum.lerp_(group.gradients, 1 - self.momentum)
            updates = group.momentum
            if self.nesterov:
                updates = group.gradients.lerp_(group.momentum, self.momentum)
            group.values.mul_(1 - rate * self.weight_decay)
            group.subtract(updates, rate)
            group.gradients.zero_()

    def state_dict(self) -> dict[str, Any]:
        """The momentum of each matrix and the state of AdamW."""
        momenta = [view.clone() for group in self._groups for view in group.flat.views(group.momentum)]
        return {"momenta": momenta, "adamw": self._adamw.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state, on any device. Raises ValueError for a state of other parameters."""
        views = [view for group in self._groups for view in group.flat.views(group.momentum)]
        stored = state["momenta"]
        if [view.shape for view in views] != [momentum.shape for momentum in stored]:
            raise ValueError("its momentum is of other matrices")
        for view, momentum in zip(views, stored, strict=True):
            view.copy_(momentum)
        self._adamw.load_state_dict(state["adamw"])


class _Matrices:
    """Values, gradients and momentum (N,) of all matrices of one dtype, side by side, sorted by shape."""

    def __init__(self, matrices: Sequence[nn.Parameter], *, on_gpu: bool) -> None:
        by_shape: dict[tuple[int, int], list[nn.Parameter]] = {}
        for matrix in matrices:
            by_shape.setdefault((len(matrix), matrix[0].numel()), []).append(matrix)
        self._shapes = [(len(group), *shape) for shape, group in by_shape.items()]
        self.flat = FlatParameters([matrix for group in by_shape.values() for matrix in group])
        self.values, self.gradients = self.flat.values.data, self.flat.gradients
        self.momentum = torch.zeros_like(self.gradients)
        rows, columns = (max(side(shape) for shape in by_shape) for side in (min, max))
        fits = len(matrices) * rows * columns <= _PADDED
        self._padded = None
        if on_gpu and fits:
            self._padded = self.values.new_zeros(len(matrices), rows, columns, dtype=torch.bfloat16)

    def subtract(self, updates: Tensor, rate: float | Tensor) -> None:
        """Subtract from the values what Newton-Schulz makes of the updates (N,), times the rate."""
        batches, scales = self._by_shape(updates), [max(1, n / k) ** 0.5 for _, n, k in self._shapes]
        if self._padded is None:
            directions = list(map(orthogonalize, batches))
        else:
            directions = _orthogonalize_together(batches, self._padded)
        for values, direction, scale in zip(self._by_shape(self.values), directions, scales, strict=True):
            values.sub_(direction.mul_(rate * scale))

    def _by_shape(self, flat: Tensor) -> list[Tensor]:
        """The matrices (K, n, k) of each shape in a tensor (N,)."""
        batches, start = [], 0
        for count, rows, columns in self._shapes:
            stride = aligned(rows * columns)
            batches.append(flat[start:].as_strided((count, rows, columns), (stride, columns, 1)))
            start += count * stride
        return batches


def orthogonalize(matrices: Tensor) -> Tensor:
    """Matrices (K, n, k) with singular values near 1 and the same singular vectors, by Newton-Schulz."""
    wide = matrices.shape[1] <= matrices.shape[2]
    values = matrices if wide else matrices.mT
    values = values / (values.norm(dim=(1, 2), keepdim=True) + 1e-7)
    rows, columns = values.shape[1:]
    iterate = _iterate_by_factors if columns >= 4 * rows and rows * columns >= _LARGE else _iterate
    values = iterate(values)
    return values if wide else values.mT


def _orthogonalize_together(batches: Sequence[Tensor], padded: Tensor) -> list[Tensor]:
    """Batches (K, n, k) of several shapes as `orthogonalize` gives each, in one: zeros around a matrix change
    nothing. `padded` (M, rows, columns), for all matrices, is zero where no matrix lies; its dtype is that
    of the arithmetic.

    On a GPU the number of operations counts: a step of LeNet++ on an H100 took 1.71 ms with one for each
    shape. In bfloat16, as in the public code, the products run on tensor cores.
    """
    parts = padded.split([len(batch) for batch in batches])
    for part, batch in zip(parts, batches, strict=True):
        _corner(part, batch).copy_(batch)
    results = orthogonalize(padded).split([len(batch) for batch in batches])
    return [_corner(part, batch) for part, batch in zip(results, batches, strict=True)]


def _corner(padded: Tensor, batch: Tensor) -> Tensor:
    """The part of `padded` (K, rows, columns) for a batch (K, n, k), transposed where that one is tall."""
    rows, columns = batch.shape[1:]
    return padded[:, :rows, :columns] if rows <= columns else padded[:, :columns, :rows].mT


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
