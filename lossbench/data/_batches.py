"""Which samples make which batch: an index tensor for each epoch, decided by the run's seed alone."""

from __future__ import annotations

import torch
from torch import Tensor

from ..randomness import derived_seed


def epoch_batches(
    labels: Tensor,
    *,
    batch_size: int,
    seed: int,
    epoch: int,
    classes_per_batch: int = 0,
    samples_per_class: int = 0,
) -> Tensor:
    """Indices (steps, B) int64 of one epoch; drawn on the CPU, so every device sees the same order.

    Shuffled: each sample at most once, the incomplete last batch left out (another one each epoch).
    Balanced (both counts given): K samples of each of P classes, classes and samples in shuffled turn.
    """
    count = len(labels)
    generator = torch.Generator().manual_seed(derived_seed(seed, "batches", epoch))
    steps = count // batch_size
    if not classes_per_batch:
        return torch.randperm(count, generator=generator)[: steps * batch_size].view(steps, batch_size)
    return _balanced(labels.cpu(), steps, classes_per_batch, samples_per_class, generator)


def _balanced(labels: Tensor, steps: int, p: int, k: int, generator: torch.Generator) -> Tensor:
    members = [torch.nonzero(labels == label).flatten() for label in labels.unique()]
    turns = _in_turn(len(members), steps, p, generator)
    columns = torch.empty(steps, p, k, dtype=torch.int64)
    for number, own in enumerate(members):
        places = turns == number
        columns[places] = own[_in_turn(len(own), int(places.sum()), k, generator)]
    return columns.view(steps, p * k)


def _in_turn(count: int, groups: int, size: int, generator: torch.Generator) -> Tensor:
    """Groups (groups, size) of indices below `count`: everyone once in random order, then again.

    No group holds an index twice when count >= size: a round that begins inside a group starts with
    those that the group does not have yet.
    """
    rounds: list[Tensor] = []
    while len(rounds) * count < groups * size:
        order = torch.randperm(count, generator=generator)
        begun = len(rounds) * count % size
        if begun and count >= size:
            taken = torch.isin(order, rounds[-1][-begun:])
            order = torch.cat([order[~taken], order[taken]])
        rounds.append(order)
    return torch.cat([*rounds, torch.empty(0, dtype=torch.int64)])[: groups * size].view(groups, size)
