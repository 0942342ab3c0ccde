"""Counts of margin violations from sorted distances, against counting every pair."""

from __future__ import annotations

import pytest
import torch

from lossbench.losses._triplet_counts import count_violations, resolution


def count_pairs(keys, negative, threshold=0.0):
    """For each positive i and negative j (R, B) each: in how many pairs i - j > threshold."""
    violated = (
        (keys.unsqueeze(2) - keys.unsqueeze(1) > threshold)
        * negative.unsqueeze(1)
        * (1 - negative).unsqueeze(2)
    )
    return violated.sum(2), violated.sum(1)


def every_fourth(rows, size, dtype):
    return (torch.arange(rows * size) % 4 == 0).to(dtype).view(rows, size)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1, 2, 30, 257])
@pytest.mark.parametrize("margin", [0.0, 3.0])
def test_violations_are_counted_and_equal_keys_are_none(margin, size, dtype):
    keys = torch.randint(0, 50, (6, size)).to(dtype)
    keys[4] = 0
    if margin == 0:
        keys[5] *= 6e36  # beside which a margin is nothing
    negative = every_fourth(6, size, dtype)
    above, below = count_pairs(keys, negative, -margin)
    counts = count_violations(keys, negative, margin)
    torch.testing.assert_close(counts, (above - below).to(dtype), rtol=0, atol=0)


@pytest.mark.parametrize("size", [2, 100, 300, 1500])
def test_only_keys_nearer_than_the_resolution_count_as_equal(size):
    keys, negative = 3 * torch.rand(5, size), every_fourth(5, size, torch.float32)
    counts = count_violations(keys, negative, 0.0)
    tolerance = resolution(size) * float(keys.max())
    lower, upper = (
        count_pairs(keys.double(), negative, tolerance),
        count_pairs(keys.double(), negative, -tolerance),
    )
    assert ((lower[0] <= counts) & (counts <= upper[0]) | (negative == 1)).all()
    assert ((lower[1] <= -counts) & (-counts <= upper[1]) | (negative == 0)).all()
    assert (counts != 0).any() and tolerance < 1e-5


def test_stacked_rows_are_counted_alike():
    keys, negative = torch.rand(6, 30), every_fourth(6, 30, torch.float32)
    stacked = torch.stack([keys, keys.flip(1)], 1)
    counts = torch.vmap(count_violations, in_dims=(1, None, None))(stacked, negative, 0.0)
    assert torch.equal(counts[0], count_violations(keys, negative, 0.0))
    assert torch.equal(counts[1], count_violations(keys.flip(1), negative, 0.0))


def test_custom_operator_is_registered_soundly():
    torch.library.opcheck(count_violations, (torch.rand(4, 9), torch.ones(4, 9), 0.5))
