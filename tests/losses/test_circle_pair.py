"""Circle loss on pairs against its equation, pytorch-metric-learning, and its decision boundary."""

from __future__ import annotations

import math

import pytest
import torch
from pytorch_metric_learning.losses import CircleLoss
from pytorch_metric_learning.reducers import MeanReducer

from .oracle import advance, assert_matches_reference, build, circle_points


def reference(x, y, state, *, gamma, margin, soft_start):
    """One log for each anchor with its pairs; the weights are plain numbers, as the paper treats them."""
    unit = [row / row.square().sum().sqrt() for row in x]
    total, anchors = 0 * x.sum(), 0
    for i in range(len(y)):
        positives, negatives = [], []
        for j in range(len(y)):
            if i == j:
                continue
            cosine = unit[i] @ unit[j]
            if y[i] == y[j]:
                weight = max(0.0, 1 + margin - cosine.item())
                positives.append(torch.exp(-gamma * weight * (cosine - (1 - margin))))
            else:
                weight = max(0.0, cosine.item() + margin)
                negatives.append(torch.exp(gamma * weight * (cosine - margin)))
        if positives and negatives:
            total = total + torch.log(1 + sum(negatives) * sum(positives))
            anchors += 1
    return total / max(anchors, 1)


@pytest.mark.parametrize("settings", [{}, {"gamma": 4.0, "margin": 0.4}, {"gamma": 1.0, "margin": 0.0}])
@pytest.mark.parametrize("dim", [2, 5])
def test_matches_reference(settings, dim):
    batch = circle_points(20, classes=5, dim=dim)
    assert_matches_reference("circle-pair", reference, classes=5, dim=dim, batch=batch, **settings)


def test_anchors_without_a_pair_are_left_out():
    x, _ = circle_points(12)
    y = torch.tensor([0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8])
    assert_matches_reference("circle-pair", reference, batch=(x, y))


@pytest.mark.parametrize("gamma", [32.0, 80.0])
def test_matches_pytorch_metric_learning(gamma):
    x, y = circle_points(dim=3)
    ours_x, theirs_x = x.clone().requires_grad_(), x.clone().requires_grad_()
    value = build("circle-pair", dim=3, gamma=gamma, margin=0.25)(ours_x, y)
    expected = CircleLoss(m=0.25, gamma=gamma, reducer=MeanReducer())(theirs_x, y)
    value.backward()
    expected.backward()
    torch.testing.assert_close(value, expected, rtol=0, atol=1e-8)
    torch.testing.assert_close(ours_x.grad, theirs_x.grad, rtol=0, atol=1e-8)


@pytest.mark.parametrize("turn", [0.1, 0.8, 1.4])
def test_boundary_is_the_circle(turn):
    """One pair of each kind: the exponent is 0, the loss log 2, on s_n^2 + (1 - s_p)^2 = 2 m^2."""
    margin = 0.25
    similar = 1 - math.sqrt(2) * margin * math.cos(turn)
    other = math.sqrt(2) * margin * math.sin(turn)
    angles = torch.tensor([0.0, math.acos(similar), math.acos(other)], dtype=torch.float64)
    x = torch.stack([angles.cos(), angles.sin()], 1)
    sides = torch.stack([x[0], x[1], x[2]])
    loss = build("circle-pair", gamma=8.0, margin=margin).double()
    both = loss(sides, torch.tensor([0, 0, 1]))
    third = math.cos(math.acos(other) - math.acos(similar))  # the second anchor sees its own negative
    exponent = 8.0 * (
        max(0.0, third + margin) * (third - margin) - (1 + margin - similar) * (similar - 1 + margin)
    )
    assert both.item() == pytest.approx((math.log(2) + math.log1p(math.exp(exponent))) / 2, abs=1e-12)


def test_gamma_256_is_finite_in_float32():
    x, y = circle_points()
    x = x.float().requires_grad_()
    value = build("circle-pair", gamma=256.0)(x, 9 - y)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(x.grad).all()


def test_length_does_not_matter():
    x, y = circle_points()
    loss = build("circle-pair").double()
    torch.testing.assert_close(loss(7 * x, y), loss(x, y), rtol=0, atol=1e-10)


def test_soft_start_is_a_log_probability_first_and_circle_in_the_end():
    """First the mean over positives p of -log(exp(|x_i| s_p) / sum over all others), then the paper's loss."""
    loss = build("circle-pair").double()
    x, y = circle_points()
    final = loss(x, y)
    advance(loss, 0.1)
    scores = x @ (x / x.norm(dim=1, keepdim=True)).T
    rows = []
    for i in range(len(y)):
        everyone = torch.log(sum(torch.exp(scores[i, j]) for j in range(len(y)) if j != i))
        own = [p for p in range(len(y)) if p != i and y[p] == y[i]]
        rows.append(sum(everyone - scores[i, p] for p in own) / len(own))
    torch.testing.assert_close(loss(x, y), torch.stack(rows).mean(), rtol=0, atol=1e-10)
    advance(loss, 0.6)
    torch.testing.assert_close(loss(x, y), final, rtol=0, atol=1e-10)
    paper = build("circle-pair", soft_start=0.0).double()
    advance(paper, 0.0)
    assert torch.equal(paper(x, y), final)


def test_default_margin_leaves_room_for_neighbours():
    """On the boundary s_p = 1 and s_n = m * sqrt(2): 36 degrees apart must be inside."""
    assert build("circle-pair").margin * math.sqrt(2) > math.cos(math.pi / 5)
    assert build("circle-pair", dim=64).margin == 0.25
