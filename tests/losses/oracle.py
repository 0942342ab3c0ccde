"""Compares a loss with the plain-loop reference that its test writes from the equation.

A reference is `reference(x, y, state, **settings)`: x (B, D) float64 with gradient, y a list of ints,
state the loss's parameters (with gradient) and buffers by name, settings the resolved settings. It
returns the value, or (value, {buffer name: new value}) when training moves state.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from lossbench.losses._weighted_sum import WeightedSum
from lossbench.specs import LossSpec, catalog

CLASSES = 10


def circle_points(count: int = 40, classes: int = CLASSES, dim: int = 2) -> tuple[Tensor, Tensor]:
    """Points at chosen angles and lengths, all classes present, some far from their own direction."""
    index = torch.arange(count, dtype=torch.float64)
    labels = torch.arange(count) % classes
    angles = 2 * math.pi * labels / classes + 0.9 * torch.sin(1.7 * index) + 0.013
    lengths = 0.4 + 2.5 * (0.5 + 0.5 * torch.cos(2.3 * index))
    points = torch.zeros(count, dim, dtype=torch.float64)
    points[:, 0] = lengths * torch.cos(angles)
    if dim > 1:
        points[:, 1] = lengths * torch.sin(angles)
    for extra in range(2, dim):
        points[:, extra] = 0.7 * torch.sin(index * (extra + 0.37))
    return points, labels


def build(name: str, classes: int = CLASSES, dim: int = 2, seed: int = 3, **settings: Any) -> nn.Module:
    """A loss of the catalogue in training mode with reproducible parameters."""
    torch.default_generator.manual_seed(seed)
    loss: nn.Module = catalog.load("losses", name)(classes, dim, **settings)
    return loss.train()


def advance(loss: nn.Module, progress: float) -> None:
    """Put a loss where the training loop has it when this fraction of a training is over."""
    WeightedSum({"it": loss}, [1.0]).advance(progress)


def state_of(loss: nn.Module) -> dict[str, Tensor]:
    """Copies of all parameters (with gradient) and buffers."""
    state = {key: value.detach().clone().requires_grad_() for key, value in loss.named_parameters()}
    return state | {key: value.detach().clone() for key, value in loss.named_buffers()}


def assert_matches_reference(
    name: str,
    reference: Callable[..., Any],
    *,
    classes: int = CLASSES,
    dim: int = 2,
    batch: tuple[Tensor, Tensor] | None = None,
    prepare: Callable[[nn.Module], None] | None = None,
    **settings: Any,
) -> None:
    """Value, gradients and moved state agree to 1e-9 in float64 and 1e-5 (relative to size) in float32."""
    points, labels = batch or circle_points(3 * CLASSES, classes, dim)
    points = points.detach().float().double()  # exact in both types, so one reference serves both
    spec: LossSpec = catalog.spec("losses", name)
    resolved = spec.resolve(classes, dim, **settings)
    resolved.pop("fixed", None)  # fixed weights are in the state like others
    before: dict[str, Tensor] = {}
    for dtype, tolerance in ((torch.float64, 1e-9), (torch.float32, 1e-5)):
        loss = build(name, classes, dim, **settings).to(dtype)
        if prepare:
            prepare(loss)
        # both sides start from the very same numbers, so rounding the input is not counted as error
        x = points.to(dtype, copy=True).requires_grad_()
        start = {key: _as_double(value) for key, value in state_of(loss).items()}
        is_new = dtype == torch.float64 or not all(torch.equal(start[key], before[key]) for key in start)
        if is_new:
            before = {key: value.detach().clone() for key, value in start.items()}
            state, expected_x = start, points.clone().requires_grad_()
            outcome = reference(expected_x, labels.tolist(), state, **resolved)
            expected, moved = outcome if isinstance(outcome, tuple) else (outcome, {})
            random = torch.get_rng_state()  # a reference may seed what the loss draws
        torch.set_rng_state(random)
        value = loss(x, labels)
        _close(value, expected, tolerance, "value")
        if value.requires_grad:
            value.backward()
            if is_new:
                expected.backward()
        _close(x.grad, expected_x.grad, tolerance, "gradient of features")
        for key, parameter in loss.named_parameters():
            _close(parameter.grad, state[key].grad, tolerance, f"gradient of {key}")
        buffers = dict(loss.named_buffers())
        for key, buffer in buffers.items():
            if buffer.is_floating_point():
                _close(buffer, moved.get(key, state[key]), tolerance, f"buffer {key}")


def assert_equals_library(
    ours: nn.Module,
    theirs: nn.Module,
    batch: tuple[Tensor, Tensor] | None = None,
    *,
    transposed: bool = True,
    tolerance: float = 1e-8,
) -> None:
    """Value and gradients in float64 equal those of a loss of pytorch-metric-learning with the same weights, its
    only parameter, as (D, C) where `transposed`."""
    (weight,) = theirs.parameters()
    weight.data = (ours.weight.data.T if transposed else ours.weight.data).clone()
    x, y = batch or circle_points()
    ours_x, theirs_x = x.clone().requires_grad_(), x.clone().requires_grad_()
    value, expected = ours(ours_x, y), theirs(theirs_x, y)
    value.backward()
    expected.backward()
    gradient = weight.grad.T if transposed else weight.grad
    for found, other in ((value, expected), (ours_x.grad, theirs_x.grad), (ours.weight.grad, gradient)):
        torch.testing.assert_close(found, other, rtol=0, atol=tolerance)


def _as_double(value: Tensor) -> Tensor:
    if not value.is_floating_point():
        return value
    return value.detach().double().requires_grad_(value.requires_grad)


def _close(actual: Tensor | None, expected: Tensor | None, tolerance: float, what: str) -> None:
    actual = torch.zeros(()) if actual is None else actual.detach().double()
    expected = torch.zeros(()) if expected is None else torch.as_tensor(expected).detach().double()
    error = (actual - expected).abs().max().item()
    size = max(1.0, expected.abs().max().item())
    assert error <= tolerance * size, f"{what}: off by {error:.3g} where {tolerance * size:.3g} is allowed"
