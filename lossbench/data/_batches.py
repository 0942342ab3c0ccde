"""Which samples make which batch: an index tensor for each epoch, which depends on the run's seed alone."""

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
    """Indices (steps, B) int64 of one epoch; drawn on the CPU, so that every device sees the same order.

    Shuffled: each sample at most once; the incomplete last batch is left out, another one each epoch.
    Balanced (both counts given): K samples of each of P classes; classes and samples come equally often.
    """
    count = len(labels)
    generator = torch.Generator().manual_seed(derived_seed(seed, "batches", epoch))
    steps = count // batch_size
    if not classes_per_batch:
        return torch.randperm(count, generator=generator)[: steps * batch_size].view(steps, batch_size)
    return _balanced(labels.cpu(), steps, classes_per_batch, samples_per_class, generator)


def _balanced(labels: Tensor, steps: int, p: int, k: int, generator: torch.Generator) -> Tensor:
    indices_by_class = [torch.nonzero(labels == label).flatten() for label in labels.unique()]
    classes = _draw_groups(len(indices_by_class), steps, p, generator)
    batches = torch.empty(steps, p, k, dtype=torch.int64)
    for number, indices in enumerate(indices_by_class):
        mask = classes == number
        batches[mask] = indices[_draw_groups(len(indices), int(mask.sum()), k, generator)]
    return batches.view(steps, p * k)


def _draw_groups(count: int, groups: int, size: int, generator: torch.Generator) -> Tensor:
    """Groups (groups, size) of indices below `count`: one shuffled round of all indices after another.

    No group holds an index twice when count >= size: a round that begins inside a group begins with the
    indices that the group does not have yet.
    """
    rounds: list[Tensor] = []
    while len(rounds) * count < groups * size:
        order = torch.randperm(count, generator=generator)
        in_group = len(rounds) * count % size  # indices that the group has from the round before
        if in_group and count >= size:
            repeated = torch.isin(order, rounds[-1][-in_group:])
            order = torch.cat([order[~repeated], order[repeated]])
        rounds.append(order)
    return torch.cat([*rounds, torch.empty(0, dtype=torch.int64)])[: groups * size].view(groups, size)
