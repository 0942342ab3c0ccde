"""CosFace against its equation, pytorch-metric-learning, and NormFace."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lossbench.specs.directions import spread_directions

from .oracle import advance, assert_equals_library, assert_matches_reference, build, circle_points


def reference(x, y, state, *, scale, margin, soft_start):
    """-log of the own share of exp(s (cos theta_j - m [j = y])), sample by sample; progress is 1."""
    total = 0
    for i, label in enumerate(y):
        shares = []
        for j, w in enumerate(state["weight"]):
            dot = sum(w[d] * x[i, d] for d in range(len(w)))
            cosine = dot / (x[i].square().sum().sqrt() * w.square().sum().sqrt())
            shares.append(torch.exp(scale * (cosine - margin if j == label else cosine)))
        total = total - torch.log(shares[label] / sum(shares))
    return total / len(y)


@pytest.mark.parametrize(
    "options", [{}, {"scale": 10.0, "margin": 0.2}, {"scale": 30.0, "margin": 0.35}, {"margin": -0.3}]
)
@pytest.mark.parametrize("dim", [2, 5])
def test_matches_reference(options, dim):
    assert_matches_reference("cosface", reference, dim=dim, **options)


@pytest.mark.parametrize("margin", [0.0, 0.1, 0.35, -0.3])
def test_matches_pytorch_metric_learning(margin):
    from pytorch_metric_learning.losses import CosFaceLoss

    ours = build("cosface", scale=16.0, margin=margin).double()
    theirs = CosFaceLoss(10, 2, margin=margin, scale=16.0).double()
    assert_equals_library(ours, theirs)


def test_without_margin_it_is_normface_bit_for_bit():
    x, y = circle_points()
    x = x.float()
    values = [
        build(name, scale=20.0, **rest)(x, y)
        for name, rest in (("cosface", {"margin": 0.0}), ("normface", {}))
    ]
    assert torch.equal(*values)


@given(st.floats(-2, 2), st.floats(0, math.pi), st.floats(0.1, 64))
@settings(max_examples=25, deadline=None)
def test_margin_lowers_the_target_score_by_a_constant(margin, theta, scale):
    """Two opposite directions: L = softplus(f_other - f_own) = softplus(s (m - 2 cos(theta)))."""
    loss = build("cosface", classes=2, scale=scale, margin=margin).double()
    loss.weight.data = torch.tensor([[3.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    x = torch.tensor([[math.cos(theta), math.sin(theta)]], dtype=torch.float64)
    expected = torch.nn.functional.softplus(
        torch.tensor(scale * (margin - 2 * math.cos(theta)), dtype=torch.float64), threshold=200
    )
    torch.testing.assert_close(loss(x, torch.tensor([0])), expected, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(loss.logits(x)[0, 0].item(), scale * math.cos(theta))


def test_default_margin_can_be_satisfied_and_the_face_margin_cannot():
    """Perfect features on ten directions 36 degrees apart: the bound 1 - cos(36 deg) = 0.19 divides them."""
    directions = torch.tensor(spread_directions(10, 2))
    y = torch.arange(10)
    losses = {}
    for margin in (None, 0.35):
        for scale in (24.0, 200.0):
            loss = build("cosface", scale=scale, margin=margin).double()
            loss.weight.data = directions
            losses[margin, scale] = loss(directions, y).item()
    assert losses[None, 200.0] < 1e-6 < losses[None, 24.0]
    assert losses[0.35, 200.0] > losses[0.35, 24.0] > 3


def test_soft_start_raises_the_margin_step_by_step():
    loss = build("cosface", scale=20.0, margin=0.2, soft_start=0.25)
    x, y = circle_points()
    x = x.float()
    final = loss(x, y)
    advance(loss, 0.2)
    torch.testing.assert_close(loss(x, y), build("modified-softmax")(x, y))
    advance(loss, 0.375)
    torch.testing.assert_close(loss(x, y), build("cosface", scale=20.0, margin=0.1)(x, y))
    advance(loss, 0.5)
    assert torch.equal(loss(x, y), final)
