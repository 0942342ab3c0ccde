"""Margin loss against its equation and pytorch-metric-learning, and the boundary that it learns."""

from __future__ import annotations

import math

import pytest
import torch

from .oracle import assert_matches_reference, build, circle_points


def reference(x, y, state, *, margin, boundary, learnable, normalized, distance_weighted):
    """Every triplet of the batch, or each positive pair with the negatives by their share of the sampling."""
    size, dim = x.shape
    beta = state["beta"]
    rows = [row / row.square().sum().sqrt() if normalized or distance_weighted else row for row in x]
    total, count = 0 * x.sum() + 0 * beta, 0
    for a in range(size):
        distance = {j: (rows[a] - rows[j]).square().sum().sqrt() for j in range(size) if j != a}
        others = [j for j in range(size) if y[j] != y[a]]
        weights = dict.fromkeys(others, 1.0)
        if distance_weighted:
            for j in others:
                d = max(float(distance[j].detach()), 0.5)
                log_q = (dim - 2) * math.log(d) + (dim - 3) / 2 * math.log(1 - d * d / 4)
                weights[j] = math.exp(-log_q) if distance[j] < beta.detach() + margin else 0.0
            mass = sum(weights.values())
            weights = {j: len(others) * w / mass if mass else 0.0 for j, w in weights.items()}
        for p in (j for j in range(size) if y[j] == y[a] and j != a):
            for n in others:
                if (pull := margin + distance[p] - beta) > 0:
                    total, count = total + pull, count + 1
                if (push := margin + beta - distance[n]) > 0:
                    total, count = total + weights[n] * push, count + weights[n]
    return total / count


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"margin": 0.5, "boundary": 2.0, "learnable": False},
        {"normalized": True, "boundary": 0.4},
        {"distance_weighted": True, "boundary": 0.8},
    ],
)
@pytest.mark.parametrize("dim", [2, 3, 5])
def test_matches_reference(settings, dim):
    batch = circle_points(20, classes=4, dim=dim)
    assert_matches_reference("margin-pair", reference, classes=4, dim=dim, batch=batch, **settings)


@pytest.mark.parametrize("normalized", [False, True])
def test_matches_pytorch_metric_learning(normalized):
    from pytorch_metric_learning.distances import LpDistance
    from pytorch_metric_learning.losses import MarginLoss

    ours = build("margin-pair", margin=0.3, boundary=0.9, normalized=normalized).double()
    distance = LpDistance(normalize_embeddings=normalized)
    theirs = MarginLoss(margin=0.3, beta=0.9, learn_beta=True, distance=distance).double()
    x, y = circle_points()
    ours_x, theirs_x = x.clone().requires_grad_(), x.clone().requires_grad_()
    value, expected = ours(ours_x, y), theirs(theirs_x, y)
    value.backward()
    expected.backward()
    torch.testing.assert_close(value, expected, rtol=0, atol=1e-8, check_dtype=False)
    torch.testing.assert_close(ours_x.grad, theirs_x.grad, rtol=0, atol=1e-7)
    torch.testing.assert_close(ours.beta.grad, theirs.beta.grad[0], rtol=0, atol=1e-7, check_dtype=False)


def test_hand_value():
    """Points 0 and 1 of one class, 1.5 of another; beta 1, alpha 0.2: pulls 0.2 twice, push 0.7 of 1 only."""
    x, y = torch.tensor([[0.0], [1.0], [1.5]]), torch.tensor([0, 0, 1])
    loss = build("margin-pair", dim=1, boundary=1.0)
    assert loss(x, y).item() == pytest.approx((0.2 + 0.2 + 0.7) / 3)


def test_the_boundary_moves_between_the_distances():
    """Pairs at 0.1 and at 3 apart: from either side the boundary moves to where both are satisfied."""
    y = torch.tensor([0, 0, 1, 1])
    x = torch.tensor([[0.0], [0.1], [3.0], [3.1]])
    for start in (0.05, 4.0):
        loss = build("margin-pair", dim=1, boundary=start)
        optimizer = torch.optim.SGD(loss.parameters(), lr=0.05)
        for _ in range(100):
            optimizer.zero_grad()
            loss(x, y).backward()
            optimizer.step()
        assert 0.3 - 1e-3 <= loss.beta.item() <= 2.7 + 1e-3
        assert loss(x, y).item() == pytest.approx(0, abs=1e-2)


def test_satisfied_pairs_give_a_differentiable_zero():
    x = torch.tensor([[0.0], [0.1], [9.0], [9.1]], requires_grad=True)
    value = build("margin-pair", dim=1)(x, torch.tensor([0, 0, 1, 1]))
    value.backward()
    assert value.item() == 0
    assert x.grad.abs().sum() == 0


def test_pairs_exactly_at_their_margin_are_not_counted():
    loss = build("margin-pair", margin=0.25, boundary=1.0)
    features = torch.tensor([[0.0, 0.0], [0.75, 0.0], [0.0, 1.0]])  # distances 0.75, 1 and 1.25
    assert float(loss(features, torch.tensor([0, 0, 1])).detach()) == 0.25  # only the distance 1 is too short
