"""A weighted sum of losses, itself a loss: `softmax + 0.003*center`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from ..errors import UsageError


@runtime_checkable
class Classifier(Protocol):
    """A loss with class scores."""

    def logits(self, features: Tensor) -> Tensor:
        """Features (B, D) to margin-free class scores (B, C)."""


class Summable(nn.Module):
    """A loss that `+` and `*` take: `softmax + 0.003 * center` is a `WeightedSum`, as is a loss plus any
    module."""

    __array_ufunc__ = None  # a NumPy number on the left leaves the product to `__rmul__`

    def __mul__(self, weight: float) -> WeightedSum:
        if not isinstance(weight, int | float):
            return NotImplemented
        losses, weights = _parts(self)
        return _sum(losses, [float(weight) * each for each in weights])

    __rmul__ = __mul__

    def __add__(self, other: nn.Module) -> WeightedSum:
        if not isinstance(other, nn.Module):
            return NotImplemented
        losses, weights = _parts(self)
        more, of_more = _parts(other)
        return _sum([*losses, *more], [*weights, *of_more])

    def __radd__(self, other: nn.Module | Literal[0]) -> WeightedSum:
        if isinstance(other, int) and other == 0:  # the start of Python's sum()
            return self * 1
        if not isinstance(other, nn.Module):
            return NotImplemented
        return WeightedSum({type(other).__name__: other}, [1.0]) + self


class WeightedSum(Summable):
    """sum_k weight_k * loss_k, itself a loss; `terms` gives the values apart.

    A term of weight 0 is computed without gradient: its state moves, and the sum is bit for bit the
    sum without it. The parameters and buffers of all terms are in its `state_dict`; the weights are not.
    Each term keeps its own `reduction`.

    Args:
        losses: The terms by name: losses of this package, or any module that takes features (B, D) and
            labels (B,) and returns a scalar, or a tuple with it first.
        weights: The weight of each term, in the same order.

    Raises:
        UsageError: A ValueError, for no term, another number of weights, or one that is not finite.
    """

    def __init__(self, losses: Mapping[str, nn.Module], weights: Sequence[float]) -> None:
        super().__init__()
        if not losses or len(losses) != len(weights) or not all(map(math.isfinite, weights)):
            raise UsageError(f"A sum of {len(losses)} losses has as many weights, which are finite numbers.")
        self.names = list(losses)
        self.weights = list(weights)
        # ModuleDict forbids dots in keys, and names like "module:Class" have them
        self.losses = nn.ModuleList(losses.values())

    def extra_repr(self) -> str:
        """The sum as a formula."""
        return " + ".join(f"{w:g}*{name}" for w, name in zip(self.weights, self.names, strict=True))

    def advance(self, progress: float) -> bool:
        """Set the buffer `progress` of every term to the part of the training that is over, from 0 to 1.

        Returns whether a soft start began or ended, so that a step computes something else than before.
        """
        changed = False
        modules: Iterable[Any] = self.losses.modules()
        for module in modules:
            if isinstance(buffer := getattr(module, "progress", None), Tensor):
                buffer.fill_(progress)
            if hasattr(module, "starting"):
                starting = progress < 2 * module.soft_start
                changed |= starting != module.starting
                module.starting = starting
        return changed

    def set_class_counts(self, counts: Tensor) -> None:
        """Tell every term that takes them how many training samples each class has (C,)."""
        for loss in self.losses:
            if getattr(loss, "takes_counts", False):
                buffer: Any = loss.counts
                buffer.copy_(counts.clamp(min=1))

    def terms(self, features: Tensor, labels: Tensor, sample_weight: Tensor | None = None) -> list[Tensor]:
        """The value of each term, without its weight."""
        inputs = (features, labels) if sample_weight is None else (features, labels, sample_weight)
        values = []
        for loss, weight in zip(self.losses, self.weights, strict=True):
            with torch.set_grad_enabled(torch.is_grad_enabled() and weight != 0):
                value = loss(*inputs_of(loss, *inputs))
                # as (loss, class scores) from many losses of other people
                values.append(value[0] if isinstance(value, tuple) and value else value)
        return values

    def total(self, values: Sequence[Tensor]) -> Tensor:
        """The weighted sum of the values of `terms`."""
        weighted = [value * weight for value, weight in zip(values, self.weights, strict=True) if weight != 0]
        return sum(weighted[1:], weighted[0]) if weighted else torch.zeros_like(values[0], requires_grad=True)

    def forward(self, features: Tensor, labels: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """The weighted sum of the values of all terms, which get the same features, labels and weights."""
        return self.total(self.terms(features, labels, sample_weight))

    def classifier(self) -> Classifier | None:
        """The first term that has class scores."""
        return next((loss for loss in self.losses if isinstance(loss, Classifier)), None)

    def directions(self, name: str) -> Tensor | None:
        """The first `weight`, `bias` or `centers` among the terms."""
        values = (getattr(loss, name, None) for loss in self.losses)
        return next((value.detach() for value in values if isinstance(value, Tensor)), None)


def inputs_of(loss: object, *inputs: Tensor) -> Iterator[Tensor]:
    """What a loss is given; copies for one from outside, which may change them in place."""
    built_in = isinstance(loss, Summable)
    return (each if built_in or not isinstance(each, Tensor) else each.clone() for each in inputs)


def _parts(loss: nn.Module) -> tuple[list[nn.Module], list[float]]:
    """The terms of a sum and their weights; a module that is none is one term."""
    return (list(loss.losses), loss.weights) if isinstance(loss, WeightedSum) else ([loss], [1.0])


def _sum(losses: Sequence[nn.Module], weights: Sequence[float]) -> WeightedSum:
    """A sum of terms that have the names of their classes."""
    classes = [type(loss).__name__ for loss in losses]
    names = [name if classes.count(name) == 1 else f"{name}-{n}" for n, name in enumerate(classes)]
    return WeightedSum(dict(zip(names, losses, strict=True)), weights)
