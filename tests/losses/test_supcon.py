"""SupCon against its equation, pytorch-metric-learning, and its floor."""

from __future__ import annotations

import math

import pytest
import torch
from pytorch_metric_learning.losses import SupConLoss
from pytorch_metric_learning.reducers import MeanReducer

from .oracle import advance, assert_matches_reference, build, circle_points


def reference(x, y, state, *, temperature, soft_start):
    """The mean over positives of -log of their share among all others, the log outside the sum."""
    unit = [row / row.square().sum().sqrt() for row in x]
    total, anchors = 0 * x.sum(), 0
    for i in range(len(y)):
        share = {j: torch.exp(unit[i] @ unit[j] / temperature) for j in range(len(y)) if j != i}
        own = [j for j in share if y[j] == y[i]]
        if own:
            total = total - sum(torch.log(share[p] / sum(share.values())) for p in own) / len(own)
            anchors += 1
    return total / max(anchors, 1)


@pytest.mark.parametrize("temperature", [None, 0.1, 1.0])
@pytest.mark.parametrize("dim", [2, 5])
def test_matches_reference(temperature, dim):
    batch = circle_points(20, classes=5, dim=dim)
    assert_matches_reference("supcon", reference, classes=5, dim=dim, batch=batch, temperature=temperature)


def test_anchors_without_a_positive_are_left_out_but_stay_rivals():
    x, _ = circle_points(12)
    y = torch.tensor([0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8])
    assert_matches_reference("supcon", reference, batch=(x, y))


@pytest.mark.parametrize("temperature", [0.07, 0.1, 0.5])
def test_matches_pytorch_metric_learning(temperature):
    x, y = circle_points()
    ours_x, theirs_x = x.clone().requires_grad_(), x.clone().requires_grad_()
    value = build("supcon", temperature=temperature)(ours_x, y)
    expected = SupConLoss(temperature=temperature, reducer=MeanReducer())(theirs_x, y)
    value.backward()
    expected.backward()
    torch.testing.assert_close(value, expected, rtol=0, atol=1e-8)
    torch.testing.assert_close(ours_x.grad, theirs_x.grad, rtol=0, atol=1e-8)


def test_perfect_clusters_reach_the_floor():
    """K = 4 samples on each of two opposite directions: log(K - 1) when the other class is out of sight."""
    y = torch.arange(8) % 2
    x = torch.stack([1.0 - 2 * y, torch.zeros(8)], 1)
    assert build("supcon", temperature=0.05)(x, y).item() == pytest.approx(math.log(3), abs=1e-6)


def test_default_temperature_is_feasible():
    """A perfect sample among ten directions in the plane reaches 0.9; in many dimensions 0.1 is kept."""
    assert build("supcon").temperature == pytest.approx(0.065, abs=0.005)
    assert build("supcon", dim=64).temperature == 0.1


def test_no_positive_pair_gives_a_differentiable_zero():
    x, _ = circle_points(10)
    x.requires_grad_()
    value = build("supcon")(x, torch.arange(10))
    value.backward()
    assert value.item() == 0
    assert x.grad.abs().sum() == 0


def test_soft_start_uses_the_anchors_length_first():
    loss = build("supcon", soft_start=0.3).double()
    x, y = circle_points()
    final = loss(x, y)
    advance(loss, 0.1)
    unit = x / x.norm(dim=1, keepdim=True)
    scores = (x @ unit.T).fill_diagonal_(-math.inf)
    own = (y[:, None] == y) & ~torch.eye(len(y), dtype=torch.bool)
    expected = -scores.log_softmax(1)[own].reshape(len(y), -1).mean(1).mean()
    torch.testing.assert_close(loss(x, y), expected, rtol=0, atol=1e-10)
    advance(loss, 0.5)
    assert torch.equal(loss(x, y), final)
    paper = build("supcon", soft_start=0.0).double()
    advance(paper, 0.0)
    assert torch.equal(paper(x, y), final)
