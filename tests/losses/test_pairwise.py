"""Sums over pairs in blocks: the same whatever the size of a block, and honest about second derivatives."""

from __future__ import annotations

import pytest
import torch

from lossbench.losses import _pairwise as pairwise
from lossbench.specs import catalog

from .oracle import build, circle_points

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
        monkeypatch.setattr(pairwise, "_BLOCK_SIZE", 40 * rows)
        for mine, other in zip(both(name, x.to(dtype), y), whole, strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-5, atol=atol)


def test_a_second_derivative_is_refused_and_not_wrong():
    x, y = circle_points()
    x.requires_grad_()
    (first,) = torch.autograd.grad(build("supcon")(x, y), x, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative"):
        first.square().sum().backward()
