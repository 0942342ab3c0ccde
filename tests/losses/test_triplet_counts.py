"""Crossings of sorted distances against counting every pair, as exact as the resolution says."""

from __future__ import annotations

import pytest
import torch

from lossbench.losses._triplet_counts import count_crossings, resolution


def counted(keys, late, least=0.0):
    """[r, i, j]: j is late and more than `least` below i, which is not."""
    crossed = (keys.unsqueeze(2) - keys.unsqueeze(1) > least) * late.unsqueeze(1) * (1 - late).unsqueeze(2)
    return crossed.sum(2), crossed.sum(1)


def every_fourth(rows, size, dtype):
    return (torch.arange(rows * size) % 4 == 0).to(dtype).view(rows, size)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1, 2, 30, 257])
@pytest.mark.parametrize("margin", [0.0, 3.0])
def test_crossings_are_counted_and_equal_keys_are_none(margin, size, dtype):
    keys = torch.randint(0, 50, (6, size)).to(dtype)
    keys[4] = 0
    if margin == 0:
        keys[5] *= 6e36  # beside which a margin is nothing
    late = every_fourth(6, size, dtype)
    above, below = counted(keys, late, -margin)
    found = count_crossings(keys, late, margin)
    torch.testing.assert_close(found, (above - below).to(dtype), rtol=0, atol=0)


@pytest.mark.parametrize("size", [2, 100, 300, 1500])
def test_only_keys_nearer_than_the_resolution_count_as_equal(size):
    keys, late = 3 * torch.rand(5, size), every_fourth(5, size, torch.float32)
    found = count_crossings(keys, late, 0.0)
    doubt = resolution(size) * float(keys.max())
    surely, perhaps = counted(keys.double(), late, doubt), counted(keys.double(), late, -doubt)
    assert ((surely[0] <= found) & (found <= perhaps[0]) | (late == 1)).all()
    assert ((surely[1] <= -found) & (-found <= perhaps[1]) | (late == 0)).all()
    assert (found != 0).any() and doubt < 1e-5


def test_stacked_rows_are_counted_alike():
    keys, late = torch.rand(6, 30), every_fourth(6, 30, torch.float32)
    stacked = torch.stack([keys, keys.flip(1)], 1)
    found = torch.vmap(count_crossings, in_dims=(1, None, None))(stacked, late, 0.0)
    assert torch.equal(found[0], count_crossings(keys, late, 0.0))
    assert torch.equal(found[1], count_crossings(keys.flip(1), late, 0.0))


def test_custom_operator_is_registered_soundly():
    torch.library.opcheck(count_crossings, (torch.rand(4, 9), torch.ones(4, 9), 0.5))
