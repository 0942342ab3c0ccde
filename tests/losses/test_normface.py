"""NormFace against its equation, pytorch-metric-learning, its lower bound, and its parents."""

from __future__ import annotations

import math

import pytest
import torch

from lossbench.specs.directions import spread_directions

from .oracle import assert_equals_library, assert_matches_reference, build, circle_points


def reference(x, y, state, *, scale, learnable, soft_start):
    """s cos(theta_j) from the squared distance of unit vectors (2 - 2 cos); progress is 1."""
    s = torch.exp(state["log_scale"]) if learnable else scale
    total = 0
    for i, label in enumerate(y):
        unit = x[i] / x[i].square().sum().sqrt()
        scores = []
        for w in state["weight"]:
            direction = w / w.square().sum().sqrt()
            scores.append(-s / 2 * sum((unit[d] - direction[d]) ** 2 for d in range(len(w))))
        total = total - scores[label] + torch.log(sum(torch.exp(score) for score in scores))
    return total / len(y)


@pytest.mark.parametrize("settings", [{}, {"scale": 1.0}, {"scale": 10.0, "learnable": True}])
@pytest.mark.parametrize("dim", [2, 5])
def test_matches_reference(settings, dim):
    assert_matches_reference("normface", reference, dim=dim, **settings)


@pytest.mark.parametrize("scale", [1.0, 16.0])
def test_matches_pytorch_metric_learning(scale):
    from pytorch_metric_learning.losses import NormalizedSoftmaxLoss

    ours = build("normface", scale=scale).double()
    theirs = NormalizedSoftmaxLoss(10, 2, temperature=1 / scale).double()
    assert_equals_library(ours, theirs)


@pytest.mark.parametrize(("scale", "floor"), [(1, 1.377), (4, 0.100), (7, 0.0038)])
def test_meets_its_lower_bound_on_a_simplex(scale, floor):
    """Proposition 2: log(1 + (C-1) exp(-s C / (C-1))), reached where the classes form a simplex."""
    loss = build("normface", dim=9, scale=scale).double()
    loss.weight.data = torch.tensor(spread_directions(10, 9))
    y = torch.arange(10)
    value = loss(loss.weight.detach(), y).item()
    assert value == pytest.approx(math.log1p(9 * math.exp(-scale * 10 / 9)), abs=1e-12)
    assert value == pytest.approx(floor, abs=5e-4)


def test_length_of_the_features_does_not_count():
    loss = build("normface").double()
    x, y = circle_points()
    lengths = torch.linspace(0.01, 50, len(y), dtype=torch.float64).unsqueeze(1)
    torch.testing.assert_close(loss(lengths * x, y), loss(x, y), rtol=0, atol=1e-12)


def test_unit_features_and_scale_one_are_the_modified_softmax():
    x, y = circle_points()
    x = x / x.norm(dim=1, keepdim=True)
    parent, child = build("modified-softmax").double(), build("normface", scale=1.0).double()
    torch.testing.assert_close(child(x, y), parent(x, y), rtol=0, atol=1e-12)


def test_learned_scale_starts_there_stays_positive_and_descends():
    loss = build("normface", scale=10.0, learnable=True)
    fixed = build("normface", scale=10.0)
    x, y = circle_points()
    x = x.float()
    assert "log_scale" in dict(loss.named_parameters())
    assert "log_scale" not in fixed.state_dict()
    torch.testing.assert_close(loss(x, y), fixed(x, y))
    wrong = (y + 5) % 10  # directions that point away: the best scale is small
    optimizer = torch.optim.SGD([loss.log_scale], lr=0.5)
    before = loss(x, wrong)
    for _ in range(50):
        optimizer.zero_grad()
        loss(x, wrong).backward()
        optimizer.step()
    assert 0 < loss.current_scale() < 10
    assert loss(x, wrong) < before
