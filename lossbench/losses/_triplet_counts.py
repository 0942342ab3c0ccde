"""Counts of the triplets that violate the margin, without listing all triplets of a batch.

A triplet (a, p, n) violates the margin m where D_an < D_ap + m. The sorted distances of an anchor say how
often each distance occurs in such a triplet: O(B log B) for an anchor instead of O(B^2). Shapes as in
`_pairwise`.
"""

from typing import Any

import torch
from torch import Tensor

from ._pairwise import Block


def violation_counts(block: Block, margin: float) -> tuple[Tensor, Tensor]:
    """For each pair of a block (R, B), in how many violating triplets it is; and their number in all ().

    For a positive that is the number of negatives nearer than it plus the margin; for a negative, with a
    minus sign, the number of positives to which it is too near.
    """
    negative = block.negative()
    diagonal = block.pairs.diagonal(block.rows.start)
    diagonal.fill_(-margin)  # below all negatives: the anchor itself counts nothing
    counts: Tensor = count_violations(block.pairs, negative, margin)
    diagonal.zero_()
    return counts, -torch.dot(counts.flatten(), negative.flatten())


@torch.library.custom_op("lossbench::count_violations", mutates_args=())
def count_violations(values: Tensor, negative: Tensor, margin: float) -> Tensor:
    """For values (R, B), none below -margin, and which of them are negatives (1) or positives (0).

    Per row: for a positive, how many negatives are below it plus the margin; for a negative, minus the
    number of positives for which it is. In float32 on a CPU, values that differ by less than `resolution` of
    the range of their row count as equal.
    """
    keys = torch.sub(values, negative, alpha=margin)  # among equal keys, negatives have to come last
    order, flags = _sort(keys, negative, margin)
    counts = flags.cumsum(1, dtype=torch.int32)
    size = counts.shape[1]
    positives = size - counts[:, -1:]
    ranks = torch.arange(1, size + 1, dtype=torch.int32, device=counts.device)
    # up to rank k there are k - count positives; so the entry of a negative becomes k - count - positives
    counts.addcmul_(flags, counts, value=-2).addcmul_(flags, ranks).addcmul_(flags, positives, value=-1)
    return keys.copy_(flags.scatter_(1, order, counts))


def resolution(size: int) -> float:
    """The smallest difference of float32 keys that counts, as a fraction of the range of a row of `size` B.

    Up to B = 256 it is 2^-22 (float32 itself has 2^-24); with 1024 it is 2^-20.
    """
    return max(2.0**-22, 2.0 ** ((size - 1).bit_length() - 30))


_SMALLEST_RANGE = 1e-30  # the keys of a row with a smaller range count as equal


def _sort(keys: Tensor, negative: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """The columns of each row (R, B) by rising key, and `negative` in that order; overwrites the keys.

    On a CPU NumPy's vectorised sort of 32-bit integers is ten times as fast as torch's. So a key, its flag
    and its column are packed into 32 bits.
    """
    if keys.device.type != "cpu" or keys.dtype != torch.float32:
        # the next larger number for negatives, so that they come after positives of the same key
        order = torch.lerp(keys, torch.nextafter(keys, keys.new_full((), torch.inf)), negative).argsort(1)
        return order, negative.gather(1, order).to(torch.int32)
    size = keys.shape[1]
    columns, levels = (size - 1).bit_length(), 2 / resolution(size)
    # -margin to the largest on that many levels, half of them below 0, less a few for rounding
    scale = (levels - 8) / (keys.amax(1, keepdim=True) + margin).clamp_min_(_SMALLEST_RANGE)
    keys.mul_(scale).add_(margin * scale - (levels / 2 - 4))
    packed = keys.floor_().mul_(2).add_(negative).to(torch.int32)  # exact: below 2^24
    torch.add(torch.arange(size, dtype=torch.int32), packed, alpha=1 << columns, out=packed)
    packed.numpy().sort(axis=1)
    # into the memory of the keys, which is in the cache
    flags = torch.bitwise_right_shift(packed, columns, out=keys.view(torch.int32)).bitwise_and_(1)
    return packed.bitwise_and_((1 << columns) - 1), flags


count_violations.register_fake(lambda values, *_: torch.empty_like(values))


@count_violations.register_vmap
def _(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Tensor, int]:
    values, negative = (
        tensor.expand(info.batch_size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
        for tensor, dim in zip(args[:2], in_dims[:2], strict=True)
    )
    counts = count_violations(values.flatten(0, 1), negative.flatten(0, 1), args[2])
    return counts.view(values.shape), 0
