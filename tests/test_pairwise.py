"""Sums over pairs in blocks: the same whatever the size of a block, and honest about second derivatives."""

from __future__ import annotations

import pytest
import torch

from lossbench import catalog, pairwise

from .losses.oracle import build, circle_points

PAIRS = [name for name in catalog.names("losses") if catalog.spec("losses", name).kind == "pairs"]


def both(name, x, y):
    leaf = x.clone().requires_grad_()
    loss = build(name, dim=x.shape[1])
    for key, buffer in loss.named_buffers():
        if key == "progress":
            buffer.fill_(0.45)  # both parts of a soft start
    value = loss(leaf, y)
    value.backward()
    return value.detach(), leaf.grad


@pytest.mark.parametrize("dim", [2, 6])
@pytest.mark.parametrize("dtype,atol", [(torch.float64, 1e-12), (torch.float32, 2e-5)])
@pytest.mark.parametrize("name", PAIRS)
def test_blocks_of_any_size_give_the_same(name, dim, dtype, atol, monkeypatch):
    x, y = circle_points(40, dim=dim)
    whole = both(name, x.to(dtype), y)
    for rows in (1, 7, 39):
        monkeypatch.setattr(pairwise, "_CACHED", 40 * rows)
        for mine, other in zip(both(name, x.to(dtype), y), whole, strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-5, atol=atol)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_crossings_are_counted(dtype):
    keys = torch.cat([torch.rand(5, 30, dtype=dtype), torch.tensor([[0.0, 3e38, 1e-40] * 10], dtype=dtype)])
    late = (torch.arange(180) % 4 == 0).to(dtype).view(6, 30)
    found = pairwise.count_crossings(keys, late)
    # [r, i, j]: j is late and below i, which is not; equal keys do not count
    crossed = (keys.unsqueeze(1) < keys.unsqueeze(2)) * late.unsqueeze(1) * (1 - late).unsqueeze(2)
    torch.testing.assert_close(found, crossed.sum(2) - crossed.sum(1), rtol=0, atol=0)
    stacked = torch.stack([keys, keys.flip(1)], 1)
    assert torch.equal(torch.vmap(pairwise.count_crossings, in_dims=(1, None))(stacked, late)[0], found)


def test_custom_operator_is_registered_soundly():
    torch.library.opcheck(pairwise.count_crossings, (torch.rand(4, 9), torch.ones(4, 9)))


def test_a_second_derivative_is_refused_and_not_wrong():
    x, y = circle_points()
    x.requires_grad_()
    (first,) = torch.autograd.grad(build("supcon")(x, y), x, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative"):
        first.square().sum().backward()
