"""Losses over all pairs of a batch: value and gradient together, one block of anchors after another.

Shapes: features (B, D), labels (B,), a block of R anchors against the batch (R, B). A whole (B, B) matrix
does not fit the processor's cache, and moving it costs several times what computing it does. So value and
gradient of a block are computed before the next block. Masks are numbers 0 and 1, because sums and products
with booleans take three times as long. All are static-shape tensor programs; none has a second derivative.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

_BLOCK_SIZE = 2**19  # numbers in a block: two megabytes in float32, about the cache of a core
_FEW_DIMENSIONS = 4  # up to which differences axis by axis are faster than torch's cdist
LOG_ZERO = -1e30
"""Stands for log 0: finite, so that no gradient becomes NaN, and below every real score."""


class Block(NamedTuple):
    """Some anchors against the whole batch.

    rows: which anchors; pairs (R, B): their distances or scores, which the terms may overwrite unless they
    are added to others; labels (B,) in the same type.
    """

    rows: slice
    pairs: Tensor
    labels: Tensor

    def positive(self) -> Tensor:
        """1 where the other is another sample of the anchor's class, else 0 (R, B)."""
        same = self._label_differences().eq_(0)
        same.diagonal(self.rows.start).zero_()
        return same

    def negative(self) -> Tensor:
        """1 where the other is of another class, else 0 (R, B)."""
        return self._label_differences().ne_(0)

    def _label_differences(self) -> Tensor:
        return self.labels[self.rows].unsqueeze(1) - self.labels


Terms = Callable[[Block], tuple[Tensor, Tensor]]
"""The sum () of a loss's terms over a block, and its derivative (R, B) with respect to the block's pairs."""


def sum_over_scores(anchors: Tensor, others: Tensor, labels: Tensor, terms: Terms) -> Tensor:
    """Sum of the terms over all blocks; a pair's score is <anchor_i, other_j>, both of them (B, D)."""
    return _sum_over_blocks(_scores, anchors, others, labels, terms)


def sum_over_distances(features: Tensor, labels: Tensor, terms: Terms) -> Tensor:
    """Sum of the terms over all blocks; a pair is ||x_i - x_j||, with gradient 0 at distance 0."""
    return _sum_over_blocks(_distances, features, features, labels, terms)


def distance_blocks(features: Tensor, labels: Tensor) -> Iterator[Block]:
    """The blocks of distances, for computations without gradient."""
    for block, _ in _blocks(_distances, features, features, labels):
        yield block


def total(parts: Sequence[Tensor]) -> Tensor:
    """The sum of at least one tensor; a batch of one block, the usual case, costs nothing."""
    return functools.reduce(torch.add, parts)


def class_sizes(labels: Tensor, dtype: torch.dtype) -> Tensor:
    """How many samples of the batch have each sample's label (B,)."""
    ordered = labels.sort().values
    ends = torch.searchsorted(ordered, labels, right=True)
    return (ends - torch.searchsorted(ordered, labels)).to(dtype)


def usable_anchors(labels: Tensor) -> Tensor:
    """Whether each sample (B,) has a positive and a negative."""
    sizes = class_sizes(labels, torch.float32)
    return (sizes > 1) & (sizes < len(labels))


def exclude_self(values: Tensor, rows: slice, without: Tensor | None = None) -> Tensor:
    """The values (R, B) of these rows, about LOG_ZERO for the anchor itself and where `without` is 1."""
    masked = values.clone() if without is None else torch.add(values, without, alpha=LOG_ZERO)
    masked.diagonal(rows.start).fill_(LOG_ZERO)
    return masked


def shifted_exp(values: Tensor, top: Tensor, scale: float = 1.0) -> Tensor:
    """exp(scale * (values - top)) for values (R, B) with the row maxima top (R, 1); overwrites the values.

    exp is slow where it underflows, so exponents too small to count in this precision are clamped.
    """
    lowest = -400 if values.dtype == torch.float64 else -50
    exponents = values.sub_(top) if scale == 1 else values.sub_(top).mul_(scale)
    return exponents.clamp_min_(lowest).exp_()


def log_sum_exp(scores: Tensor, rows: slice, without: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """log of the sum of exp over each row's other samples (R, 1), their powers (R, B), and a factor (R, 1).

    Powers times factor is the softmax; kept apart, so that a caller multiplies its own factors in one pass.
    The anchor itself is left out, and where `without` is 1. About LOG_ZERO for an empty row, whose softmax
    has no meaning.
    """
    masked = exclude_self(scores, rows, without)
    top = masked.amax(1, keepdim=True)
    powers = shifted_exp(masked, top)
    total = powers.sum(1, keepdim=True)
    return total.log() + top, powers, total.reciprocal()


def pair_log_probability(anchors: Tensor, others: Tensor, labels: Tensor) -> Tensor:
    """Mean over anchors with a positive of -log softmax over all others, averaged over their positives.

    A pair's score is <anchor_i, other_j>, scale included: the supervised contrastive loss.
    """
    usable = class_sizes(labels, anchors.dtype) > 1
    whole = sum_over_scores(anchors, others, labels, lambda block: _log_probability(block, block.pairs))
    return whole / usable.sum().clamp(min=1)


def sum_after_soft_start(
    directions: Tensor, labels: Tensor, terms: Terms, start: tuple[Tensor, Tensor], anchors: Tensor
) -> Tensor:
    """Mean of the terms over the cosines, for this number of anchors (), in the course of a soft start.

    `start` is the radius r (B, 1) and the ramp () of `soft_start`. The result is the mean log-probability of
    the positives at scores r times the cosine, times 1 - ramp, plus the loss times ramp. Both use the
    cosines of one block.
    """
    radius, ramp = start[0], start[1].to(directions.dtype)
    start_weight = (1 - ramp) / (class_sizes(labels, directions.dtype) > 1).sum().clamp(min=1)
    loss_weight, radius_gradients = ramp / anchors, []

    def both(block: Block) -> tuple[Tensor, Tensor]:
        scale = radius[block.rows].detach()
        value, slopes = terms(block)
        first, on_scores = _log_probability(block, scale * block.pairs)
        on_scores = on_scores.mul_(start_weight)
        radius_gradients.append((on_scores * block.pairs).sum(1, keepdim=True))
        return loss_weight * value + start_weight * first, on_scores.mul_(scale).add_(
            slopes.mul_(loss_weight)
        )

    value = sum_over_scores(directions, directions, labels, both)
    result: Tensor = _WithGradient.apply(value, radius, torch.cat(radius_gradients))
    return result


def _log_probability(block: Block, scores: Tensor) -> tuple[Tensor, Tensor]:
    total, powers, factor = log_sum_exp(scores, block.rows)
    positive = block.positive()
    partners = positive.sum(1, keepdim=True)
    usable, share = partners.clamp(max=1), 1 / partners.clamp(min=1)
    mean_score = (scores * positive).sum(1, keepdim=True) * share
    return (total * usable - mean_score).sum(), powers.mul_(factor * usable).sub_(positive.mul_(share))


class _WithGradient(torch.autograd.Function):
    """A value with a gradient that has been computed along with it."""

    generate_vmap_rule = True

    @staticmethod
    def forward(value: Tensor, *_: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:  # noqa: ARG004
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        variable, gradient = ctx.saved_tensors
        product = grads[0] * gradient
        return grads[0], _Gradient.apply(product, variable) if torch.is_grad_enabled() else product, None


class _Gradient(_WithGradient):
    """A first derivative; to differentiate it again is an error, where it would silently be 0."""

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:  # noqa: ARG004
        raise RuntimeError("Losses on pairs have no second derivative.")


Backward = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Maps the derivative (R, B) with respect to the pairs to those with respect to both sides."""

Measure = Callable[[Tensor, Tensor], tuple[Tensor, Backward]]
"""The pairs (R, B) of two sets of vectors (R, D) and (B, D), and how to differentiate them."""


def _sum_over_blocks(measure: Measure, left: Tensor, right: Tensor, labels: Tensor, terms: Terms) -> Tensor:
    with torch.no_grad():
        values: list[Tensor] = []
        left_grads: list[Tensor] = []
        right_grads: list[Tensor] = []
        for block, backward in _blocks(measure, left.detach(), right.detach(), labels):
            value, slopes = terms(block)
            values.append(value)
            for grads, grad in zip((left_grads, right_grads), backward(slopes), strict=True):
                grads.append(grad)
        value, right_grad = total(values), total(right_grads)
        left_grad = left_grads[0] if len(left_grads) == 1 else torch.cat(left_grads)
    result: Tensor
    if left is right:
        result = _WithGradient.apply(value, left, left_grad + right_grad)
    else:
        result = _WithGradient.apply(_WithGradient.apply(value, left, left_grad), right, right_grad)
    return result


def _blocks(
    measure: Measure, left: Tensor, right: Tensor, labels: Tensor
) -> Iterator[tuple[Block, Backward]]:
    # class numbers of any size to places in the batch, which are exact in float32 too
    numbers = torch.searchsorted(labels.sort().values, labels).to(left.dtype)
    for rows in _row_blocks(len(labels)):
        pairs, backward = measure(left[rows], right)
        yield Block(rows, pairs, numbers), backward


def _row_blocks(size: int) -> list[slice]:
    step = max(1, _BLOCK_SIZE // size)
    return [slice(start, min(start + step, size)) for start in range(0, size, step)]


def _scores(left: Tensor, right: Tensor) -> tuple[Tensor, Backward]:
    # in few dimensions these products are four times as fast with the narrow contiguous matrix first
    right_t = right.T.contiguous()
    return left @ right.T, lambda slopes: ((right_t @ slopes.T).T, (left.T @ slopes).T)


def _distances(left: Tensor, right: Tensor) -> tuple[Tensor, Backward]:
    """By differences: exact where the |x|^2 + |y|^2 - 2xy expansion is not."""
    if left.shape[1] > _FEW_DIMENSIONS:
        distances = torch.cdist(left, right, compute_mode="donot_use_mm_for_euclid_dist")

        def backward(slopes: Tensor) -> tuple[Tensor, Tensor]:
            slopes_t, distances_t = slopes.T.contiguous(), distances.T.contiguous()
            return (
                torch.ops.aten._cdist_backward(slopes, left, right, 2.0, distances),
                torch.ops.aten._cdist_backward(slopes_t, right, left, 2.0, distances_t),
            )

        return distances, backward
    # (D, R, B) with contiguous axes: three times as fast
    differences = left.T.unsqueeze(2) - right.T.contiguous().unsqueeze(1)
    squares = differences[0] * differences[0]
    for difference in differences[1:]:
        squares = torch.addcmul(squares, difference, difference)
    distance = squares.sqrt_()

    def backward_by_axis(slopes: Tensor) -> tuple[Tensor, Tensor]:
        # equal points have the difference 0, hence the gradient 0; squares may underflow, hence the clamp
        factors = slopes / distance.clamp_min_(torch.finfo(distance.dtype).tiny ** 0.5)
        gradients = differences.mul_(factors)
        return gradients.sum(2).T, gradients.sum(1).T.neg()

    return distance, backward_by_axis
