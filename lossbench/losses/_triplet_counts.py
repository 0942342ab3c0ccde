"""Which distances of a row are crossed by which: the sum over all triplets of a batch without listing them.

A triplet (a, p, n) has a loss where its negative is nearer than its positive plus the margin. Sorted, each
row says how often at once: O(B log B) for an anchor instead of O(B^2). Shapes as in `pairwise`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ._pairwise import Block


def crossings(block: Block, margin: float) -> tuple[Tensor, Tensor]:
    """Per row (R, B): to a positive, how many negatives are nearer than it plus the margin; to a negative,
    less the number of positives for which it is one. And how many such pairs there are in all ()."""
    negative = block.negative()
    oneself = block.pairs.diagonal(block.rows.start)
    oneself.fill_(-margin)  # so before all negatives, and no positive
    times: Tensor = count_crossings(block.pairs, negative, margin)
    oneself.zero_()
    return times, -torch.dot(times.flatten(), negative.flatten())


@torch.library.custom_op("lossbench::count_crossings", mutates_args=())
def count_crossings(values: Tensor, late: Tensor, margin: float) -> Tensor:
    """Per row (R, B) of values: to one that is not late (0), how many late ones (1) are below it plus the
    margin; to a late one, less the number of the others that it is such a one for. None is below -margin.

    In float32 on a processor two count as equal that differ by less than `resolution` of their row's range.
    """
    keys = torch.sub(values, late, alpha=margin)  # of equal ones, the late are to come last
    order, flags = _ordered(keys, late, margin)
    counts = flags.cumsum(1, dtype=torch.int32)
    size = counts.shape[1]
    earlier = size - counts[:, -1:]  # how many are not late
    places = torch.arange(1, size + 1, dtype=torch.int32, device=counts.device)
    # at place k there are k - count that are not late: a late one's own count becomes k - count - earlier
    counts.addcmul_(flags, counts, value=-2).addcmul_(flags, places).addcmul_(flags, earlier, value=-1)
    return keys.copy_(flags.scatter_(1, order, counts))


def resolution(size: int) -> float:
    """Part of the range of a row's float32 keys that still tells two of `size` (B) keys apart.

    Up to B = 256 it is 2^-22, where a float32 itself ends at 2^-24; with 1024 it is 2^-20.
    """
    return max(2.0**-22, 2.0 ** ((size - 1).bit_length() - 30))


_LEAST = 1e-30  # a row of a smaller range counts as equal: one level of it is still a float32


def _ordered(keys: Tensor, late: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """The columns of each row (R, B) by rising key, and `late` in that order; overwrites the keys.

    On a processor numpy's vectorised sort of small whole numbers is ten times as fast as torch's. So a key,
    its flag and its column are packed into 32 bits.
    """
    if keys.device.type != "cpu" or keys.dtype != torch.float32:
        # one step up, so that a late one equal to another is behind it
        order = torch.lerp(keys, torch.nextafter(keys, keys.new_full((), torch.inf)), late).argsort(1)
        return order, late.gather(1, order).to(torch.int32)
    size = keys.shape[1]
    columns, levels = (size - 1).bit_length(), 2 / resolution(size)
    # -margin to the largest on that many levels, half of them below 0, less a few for rounding
    scale = (levels - 8) / (keys.amax(1, keepdim=True) + margin).clamp_min_(_LEAST)
    keys.mul_(scale).add_(margin * scale - (levels / 2 - 4))
    packed = keys.floor_().mul_(2).add_(late).to(torch.int32)  # exact: below 2^24
    torch.add(torch.arange(size, dtype=torch.int32), packed, alpha=1 << columns, out=packed)
    packed.numpy().sort(axis=1)
    # in the memory of the keys: what is new is cold
    flags = torch.bitwise_right_shift(packed, columns, out=keys.view(torch.int32)).bitwise_and_(1)
    return packed.bitwise_and_((1 << columns) - 1), flags


count_crossings.register_fake(lambda values, *_: torch.empty_like(values))


@count_crossings.register_vmap
def _(info: Any, in_dims: tuple[int | None, ...], *given: Any) -> tuple[Tensor, int]:
    values, late = (
        each.expand(info.batch_size, *each.shape) if dim is None else each.movedim(dim, 0)
        for each, dim in zip(given[:2], in_dims[:2], strict=True)
    )
    found = count_crossings(values.flatten(0, 1), late.flatten(0, 1), given[2])
    return found.view(values.shape), 0
