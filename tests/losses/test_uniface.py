"""UniFace against its equation, and what its one threshold separates."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from .oracle import assert_matches_reference, build, circle_points


def reference(x, y, state, *, scale, margin, soft_start):
    """log(1 + exp) of the threshold less the own score, and of each other score less the threshold."""
    total = 0
    b = scale * state["threshold"]
    for i, label in enumerate(y):
        for j, w in enumerate(state["weight"]):
            dot = sum(w[d] * x[i, d] for d in range(len(w)))
            cosine = dot / (x[i].square().sum().sqrt() * w.square().sum().sqrt())
            exponent = b - scale * (cosine - margin) if j == label else scale * cosine - b
            total = total + torch.log1p(torch.exp(exponent))
    return total / len(y)


@pytest.mark.parametrize("settings", [{}, {"scale": 10.0, "margin": 0.3}, {"margin": 0.0}])
@pytest.mark.parametrize("dim", [2, 5])
def test_matches_reference(settings, dim):
    assert_matches_reference("uniface", reference, dim=dim, **settings)


def test_without_margin_it_is_binary_cross_entropy_of_each_class():
    x, y = circle_points()
    loss = build("uniface", margin=0.0).double()
    scores = loss.logits(x) - loss.scale * loss.threshold
    expected = F.binary_cross_entropy_with_logits(scores, F.one_hot(y, 10).double(), reduction="sum") / len(y)
    torch.testing.assert_close(loss(x, y), expected, rtol=0, atol=1e-10)


def test_the_default_margin_leaves_room_for_a_threshold():
    """Perfect samples on directions 36 degrees apart: the loss vanishes for a large scale; not for m = 0.4."""
    y = torch.arange(10)
    for margin, small in ((None, True), (0.4, False)):
        loss = build("uniface", scale=300.0, margin=margin, fixed=True)
        assert (loss(loss.weight, y).item() < 1e-4) == small


def test_the_threshold_starts_half_way():
    loss = build("uniface", margin=0.1)
    assert loss.threshold.item() == pytest.approx((0.9 + math.cos(math.pi / 5)) / 2)
