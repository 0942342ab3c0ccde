"""Counts of the triplets that violate the margin, without listing all triplets of a batch.

A triplet (a, p, n) violates the margin m where D_an < D_ap + m. The sorted distances of an anchor say how
often each distance occurs in such a triplet: O(B log B) for an anchor instead of O(B^2). Shapes as in
`_pairwise`.
"""

from __future__ import annotations

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
    counts = count_violations(block.pairs, negative, margin)
    diagonal.zero_()
    return counts, -torch.dot(counts.flatten(), negative.flatten())


def count_violations(values: Tensor, negative: Tensor, margin: float) -> Tensor:
    """For values (R, B), none below -margin, and which of them are negatives (1) or positives (0).

    Per row: for a positive, how many negatives are below it plus the margin; for a negative, minus the
    number of positives for which it is. A value and the next larger one may count as equal.
    """
    keys = values - margin * negative
    # among equal keys negatives have to come last, so theirs are the next larger numbers
    order = torch.where(negative == 1, keys.nextafter(keys.new_full((), torch.inf)), keys).argsort(1)
    flags = negative.gather(1, order)
    counts = flags.cumsum(1)
    size = counts.shape[1]
    positives = size - counts[:, -1:]
    ranks = torch.arange(1, size + 1, dtype=counts.dtype, device=counts.device)
    # up to rank k there are k - count positives; so the entry of a negative becomes k - count - positives
    counts = torch.where(flags == 1, ranks - counts - positives, counts)
    return torch.empty_like(counts).scatter(1, order, counts)
