"""Which samples make which batch."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from torch import Tensor

from lossbench.data._batches import epoch_batches
from lossbench.errors import UsageError
from lossbench.randomness import derived_seed

from ..helpers.runs import run, small


def labels_of(counts: list[int]) -> Tensor:
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    return labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(5))]


EVEN = labels_of([40] * 10)


@pytest.mark.parametrize(("count", "size"), [(400, 128), (400, 100), (400, 1), (400, 400), (7, 3)])
def test_shuffled_each_sample_comes_at_most_once(count: int, size: int) -> None:
    batches = epoch_batches(EVEN[:count], batch_size=size, seed=0, epoch=0)
    assert batches.dtype == torch.int64
    assert batches.shape == (count // size, size)
    indices = batches.flatten()
    assert len(indices.unique()) == len(indices)
    assert indices.min() >= 0
    assert indices.max() < count


@pytest.mark.parametrize("balanced", [{}, {"classes_per_batch": 4, "samples_per_class": 8}])
def test_the_order_is_the_seed_s_and_the_epoch_s(balanced: dict[str, int]) -> None:
    def order(seed: int, epoch: int) -> Tensor:
        return epoch_batches(EVEN, batch_size=32, seed=seed, epoch=epoch, **balanced)

    first = order(3, 2)
    torch.manual_seed(99)
    torch.rand(5)
    state = torch.get_rng_state()
    assert torch.equal(order(3, 2), first)
    assert torch.equal(torch.get_rng_state(), state)
    others = [order(3, 3), order(4, 2), order(2, 3), order(0, 0), order(1, 0)]
    assert not any(torch.equal(a, b) for a, b in itertools.combinations([first, *others], 2))


def test_batches_of_stored_runs_stay_what_they_were() -> None:
    """The numbers are drawn in this order from a generator of this name."""
    generator = torch.Generator().manual_seed(derived_seed(3, "batches", 2))
    expected = torch.randperm(400, generator=generator)[:384].view(3, 128)
    assert torch.equal(epoch_batches(EVEN, batch_size=128, seed=3, epoch=2), expected)
    generator.manual_seed(derived_seed(3, "batches", 2))
    classes = torch.stack([torch.randperm(10, generator=generator) for _ in range(10)])
    expected = torch.empty(10, 10, 4, dtype=torch.int64)
    for label in range(10):
        members = torch.nonzero(label == EVEN).flatten()
        expected[classes == label] = members[torch.randperm(40, generator=generator)].view(10, 4)
    found = epoch_batches(EVEN, batch_size=40, seed=3, epoch=2, classes_per_batch=10, samples_per_class=4)
    assert torch.equal(found, expected.view(10, 40))


def test_the_samples_that_are_left_out_change_from_epoch_to_epoch() -> None:
    seen = torch.zeros(400)
    for epoch in range(12):
        seen[epoch_batches(EVEN, batch_size=150, seed=0, epoch=epoch).flatten()] += 1
    assert seen.min() > 0
    assert seen.max() <= 12


@pytest.mark.parametrize(
    ("counts", "p", "k"),
    [
        ([40] * 10, 10, 4),
        ([40] * 10, 10, 1),
        ([40] * 10, 4, 8),
        ([40] * 10, 3, 5),
        ([40] * 10, 7, 2),
        ([40] * 10, 1, 16),
        ([5, 100, 40, 7, 60, 88], 6, 5),
        ([5, 100, 40, 7, 60, 88], 4, 5),
        ([1, 200, 3, 100], 4, 6),
        ([1, 200, 3, 100], 3, 6),
    ],
)
def test_a_balanced_batch_has_exactly_k_of_each_of_p_classes(counts: list[int], p: int, k: int) -> None:
    labels = labels_of(counts)
    for epoch in range(3):
        batches = epoch_batches(
            labels, batch_size=p * k, seed=0, epoch=epoch, classes_per_batch=p, samples_per_class=k
        )
        assert batches.shape == (len(labels) // (p * k), p * k)
        for batch in batches:
            numbers = torch.bincount(labels[batch], minlength=len(counts))
            assert sorted(numbers.tolist()) == [0] * (len(counts) - p) + [k] * p


@pytest.mark.parametrize(
    ("counts", "p", "k"), [([41] * 10, 10, 4), ([13, 30, 55, 99], 4, 6), ([40] * 10, 4, 7)]
)
def test_a_balanced_batch_repeats_no_sample_of_a_class_that_has_enough(
    counts: list[int], p: int, k: int
) -> None:
    labels = labels_of(counts)  # a sample twice in a batch is a pair at distance zero
    for epoch in range(5):
        for batch in epoch_batches(
            labels, batch_size=p * k, seed=0, epoch=epoch, classes_per_batch=p, samples_per_class=k
        ):
            assert len(batch.unique()) == p * k


def test_balanced_samples_of_a_class_come_equally_often() -> None:
    whole = epoch_batches(EVEN, batch_size=40, seed=0, epoch=0, classes_per_batch=10, samples_per_class=4)
    assert sorted(whole.flatten().tolist()) == list(range(400))
    some = epoch_batches(EVEN, batch_size=20, seed=0, epoch=0, classes_per_batch=5, samples_per_class=4)
    times = torch.bincount(some.flatten(), minlength=400)
    for label in range(10):
        own = times[label == EVEN]
        assert own.sum() > 0
        assert own.max() - own.min() <= 1


def test_a_class_with_few_samples_repeats_them_evenly() -> None:
    labels = labels_of([2, 100, 100])
    rare = torch.nonzero(labels == 0).flatten()
    for batch in epoch_batches(
        labels, batch_size=15, seed=0, epoch=0, classes_per_batch=3, samples_per_class=5
    ):
        assert sorted(torch.bincount(batch, minlength=len(labels))[rare].tolist()) == [2, 3]


@pytest.mark.parametrize(
    ("balanced", "flags"),
    [
        ({}, "--batch-size 5000"),
        (
            {"classes_per_batch": 10, "samples_per_class": 500},
            "--classes-per-batch 10 times --samples-per-class 500 = 5000",
        ),
    ],
)
def test_a_batch_larger_than_the_data_is_refused(
    balanced: dict[str, int], flags: str, tmp_path: Path
) -> None:
    config = small("softmax", batch_size=5000, val_size=0, **balanced)
    with pytest.raises(UsageError, match=f"{flags} is more than the 1433 training images"):
        run(config, tmp_path)
