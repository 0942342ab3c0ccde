"""Losses over all pairs of a batch: value and gradient together, one block of anchors after another.

Shapes: features (B, D), labels (B,), a block of R anchors against the batch (R, B). Whole (B, B) matrices
leave the processor's cache, and then moving them costs several times what computing them does; so a block
is used up, gradient included, before the next is made. Masks are numbers 0 and 1: a third of what booleans
cost in sums and products. All are static-shape tensor programs; none has a second derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

_CACHED = 2**19  # numbers in a block: two megabytes in float32, about a core's cache
_FEW = 4  # dimensions up to which one matrix of differences after another is faster than torch's cdist
NOTHING = -1e30
"""The logarithm of an empty sum: finite, so that no gradient becomes NaN, and below every real score."""


class Block(NamedTuple):
    """Some anchors against the whole batch.

    rows: which anchors; pairs (R, B): their distances, or their scores, which terms that are alone may
    overwrite; labels (B,) in the same type.
    """

    rows: slice
    pairs: Tensor
    labels: Tensor

    def positive(self) -> Tensor:
        """1 where the other is another sample of the anchor's class, else 0 (R, B)."""
        same = self._gaps().eq_(0)
        same.diagonal(self.rows.start).zero_()
        return same

    def negative(self) -> Tensor:
        """1 where the other is of another class, else 0 (R, B)."""
        return self._gaps().ne_(0)

    def _gaps(self) -> Tensor:
        return self.labels[self.rows].unsqueeze(1) - self.labels


Terms = Callable[[Block], tuple[Tensor, Tensor]]
"""The sum () of a loss's terms over a block, and its derivative (R, B) for the block's pairs."""


def sum_over_scores(anchors: Tensor, others: Tensor, labels: Tensor, terms: Terms) -> Tensor:
    """Sum of the terms over all blocks; a pair's score is <anchor_i, other_j>, both of them (B, D)."""
    return _summed(_scores, anchors, others, labels, terms)


def sum_over_distances(features: Tensor, labels: Tensor, terms: Terms) -> Tensor:
    """Sum of the terms over all blocks; a pair is ||x_i - x_j||, with gradient 0 at distance 0."""
    return _summed(_distances, features, features, labels, terms)


def distance_blocks(features: Tensor, labels: Tensor) -> Iterator[Block]:
    """The blocks of distances alone, for what needs no gradient."""
    for block, _ in _blocks(_distances, features, features, labels):
        yield block


def class_sizes(labels: Tensor, dtype: torch.dtype) -> Tensor:
    """How many samples of the batch have each sample's label (B,)."""
    ordered = labels.sort().values
    ends = torch.searchsorted(ordered, labels, right=True)
    return (ends - torch.searchsorted(ordered, labels)).to(dtype)


def usable_anchors(labels: Tensor) -> Tensor:
    """Whether each sample (B,) has a positive and a negative."""
    sizes = class_sizes(labels, torch.float32)
    return (sizes > 1) & (sizes < len(labels))


def others_only(values: Tensor, rows: slice, without: Tensor | None = None) -> Tensor:
    """The values (R, B) of these rows with about NOTHING for oneself and where `without` is 1."""
    masked = values.clone() if without is None else torch.add(values, without, alpha=NOTHING)
    masked.diagonal(rows.start).fill_(NOTHING)
    return masked


def powers_below(values: Tensor, top: Tensor, scale: float = 1.0) -> Tensor:
    """exp(scale * (values - top)) for the values (R, B) of rows whose largest is top (R, 1); overwrites them.

    exp is slow where it underflows: what is too small to count in this precision is cut off before.
    """
    lowest = -400 if values.dtype == torch.float64 else -50
    exponents = values.sub_(top) if scale == 1 else values.sub_(top).mul_(scale)
    return exponents.clamp_min_(lowest).exp_()


def log_sum_exp(scores: Tensor, rows: slice, without: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """log of the sum of exp over each row's others (R, 1), their powers (R, B), and a factor (R, 1).

    Powers times factor are the shares of the sum; so the caller's own factors cost no further pass.
    Left out are oneself and where `without` is 1. About NOTHING, with meaningless shares, for an empty row.
    """
    masked = others_only(scores, rows, without)
    top = masked.amax(1, keepdim=True)
    powers = powers_below(masked, top)
    total = powers.sum(1, keepdim=True)
    return total.log() + top, powers, total.reciprocal()


def softplus(values: Tensor) -> Tensor:
    """log(1 + e^x), exact in float32 and float64: beyond 80 it is x in both."""
    return F.softplus(values, threshold=80)


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
    """Mean of the terms over the cosines, for this number of anchors (), after geometry.soft_start's `start`.

    Of its radius r (B, 1) and ramp (): the mean log-probability of the positives at scores r times the
    cosine fades into the loss. Both come from one block, as cosines and masks serve both.
    """
    radius, ramp = start[0], start[1].to(directions.dtype)
    gentle = (1 - ramp) / (class_sizes(labels, directions.dtype) > 1).sum().clamp(min=1)
    main, on_radius = ramp / anchors, []

    def both(block: Block) -> tuple[Tensor, Tensor]:
        scale = radius[block.rows].detach()
        value, slopes = terms(block)
        first, on_scores = _log_probability(block, scale * block.pairs)
        on_scores = on_scores.mul_(gentle)
        on_radius.append((on_scores * block.pairs).sum(1, keepdim=True))
        return main * value + gentle * first, on_scores.mul_(scale).add_(slopes.mul_(main))

    value = sum_over_scores(directions, directions, labels, both)
    result: Tensor = _Known.apply(value, radius, torch.cat(on_radius))
    return result


def _log_probability(block: Block, scores: Tensor) -> tuple[Tensor, Tensor]:
    total, powers, factor = log_sum_exp(scores, block.rows)
    positive = block.positive()
    partners = positive.sum(1, keepdim=True)
    usable, each = partners.clamp(max=1), 1 / partners.clamp(min=1)
    own = (scores * positive).sum(1, keepdim=True) * each
    return (total * usable - own).sum(), powers.mul_(factor * usable).sub_(positive.mul_(each))


class _Known(torch.autograd.Function):
    """A value, and one more of its gradients, which has been computed along with it."""

    generate_vmap_rule = True

    @staticmethod
    def forward(value: Tensor, *_: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:  # noqa: ARG004
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        where, gradient = ctx.saved_tensors
        return grads[0], _First.apply(grads[0] * gradient, where), None


class _First(_Known):
    """A first derivative at a place; asking for the next is an error, where it would silently be 0."""

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, ...]:  # noqa: ARG004
        raise RuntimeError("Losses on pairs have no second derivative.")


Back = Callable[[Tensor], tuple[Tensor, Tensor]]
Measure = Callable[[Tensor, Tensor], tuple[Tensor, Back]]


def _summed(measure: Measure, left: Tensor, right: Tensor, labels: Tensor, terms: Terms) -> Tensor:
    with torch.no_grad():
        value, left_parts, right_grad = left.new_zeros(()), [], torch.zeros_like(right)
        for block, back in _blocks(measure, left.detach(), right.detach(), labels):
            part, slopes = terms(block)
            for_left, for_right = back(slopes)
            value, right_grad = value + part, right_grad + for_right
            left_parts.append(for_left)
        left_grad = torch.cat(left_parts)
    result: Tensor = _Known.apply(_Known.apply(value, left, left_grad), right, right_grad)
    return result


def _blocks(measure: Measure, left: Tensor, right: Tensor, labels: Tensor) -> Iterator[tuple[Block, Back]]:
    numbers = labels.to(left.dtype)  # exact below 2^24 also in float32
    for rows in _rows(len(labels)):
        pairs, back = measure(left[rows], right)
        yield Block(rows, pairs, numbers), back


def _rows(size: int) -> list[slice]:
    step = max(1, _CACHED // size)
    return [slice(start, min(start + step, size)) for start in range(0, size, step)]


def _scores(left: Tensor, right: Tensor) -> tuple[Tensor, Back]:
    # in few dimensions these products are four times as fast with the narrow matrix, in one piece, first
    flat = right.T.contiguous()
    return left @ right.T, lambda slopes: ((flat @ slopes.T).T, (left.T @ slopes).T)


def _distances(left: Tensor, right: Tensor) -> tuple[Tensor, Back]:
    """By differences: exact where the |x|^2 + |y|^2 - 2xy expansion is not."""
    if left.shape[1] > _FEW:
        whole = torch.cdist(left, right, compute_mode="donot_use_mm_for_euclid_dist")

        def back(slopes: Tensor) -> tuple[Tensor, Tensor]:
            turned, mirrored = slopes.T.contiguous(), whole.T.contiguous()
            return (
                torch.ops.aten._cdist_backward(slopes, left, right, 2.0, whole),
                torch.ops.aten._cdist_backward(turned, right, left, 2.0, mirrored),
            )

        return whole, back
    # (D, R, B), each axis of the others in one piece: three times as fast
    gaps = left.T.unsqueeze(2) - right.T.contiguous().unsqueeze(1)
    squares = gaps[0] * gaps[0]
    for gap in gaps[1:]:
        squares = torch.addcmul(squares, gap, gap)
    distance = squares.sqrt_()

    def back_by_axis(slopes: Tensor) -> tuple[Tensor, Tensor]:
        # equal points have no direction: their difference is 0, and a square that underflowed stays small
        pulls = slopes / distance.clamp_min_(torch.finfo(distance.dtype).tiny ** 0.5)
        forces = gaps.mul_(pulls)
        return forces.sum(2).T, forces.sum(1).T.neg()

    return distance, back_by_axis
