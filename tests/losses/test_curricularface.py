"""CurricularFace against its equations and ArcFace, and the course of its t."""

from __future__ import annotations

import math

import pytest
import torch

from .oracle import advance, assert_matches_reference, build, circle_points


def reference(x, y, state, *, scale, margin, rate, soft_start):
    """Angles by acos, each negative on its own, then t by its moving average; progress is 1."""
    total, t, own = 0, state["t"].item(), []
    for i, label in enumerate(y):
        angles = []
        for w in state["weight"]:
            dot = sum(w[d] * x[i, d] for d in range(len(w)))
            angles.append(torch.acos(dot / (x[i].square().sum().sqrt() * w.square().sum().sqrt())))
        own.append(math.cos(angles[label].item()))
        scores = []
        for j, theta in enumerate(angles):
            if j == label and theta + margin > math.pi:
                scores.append(scale * (torch.cos(theta) - margin * math.sin(margin)))
            elif j == label:
                scores.append(scale * torch.cos(theta + margin))
            elif torch.cos(theta) <= torch.cos(angles[label] + margin):
                scores.append(scale * torch.cos(theta))
            else:
                scores.append(scale * (t + torch.cos(theta)) * torch.cos(theta))
        total = total - scores[label] + torch.log(sum(torch.exp(score) for score in scores))
    moved = (1 - rate) * t + rate * sum(own) / len(own)
    return total / len(y), {"t": torch.tensor(moved, dtype=torch.float64)}


@pytest.mark.parametrize("start", [0.0, 0.4, 0.95])
@pytest.mark.parametrize("options", [{}, {"scale": 10.0, "margin": 0.5, "rate": 0.3}])
@pytest.mark.parametrize("dim", [2, 5])
def test_matches_reference(options, dim, start):
    def prepare(loss):
        loss.t.fill_(start)

    assert_matches_reference("curricularface", reference, dim=dim, prepare=prepare, **options)


def test_is_arcface_where_no_negative_is_hard():
    """Samples near their own of three directions, and a margin that leaves no negative above it."""
    ours = build("curricularface", classes=3, scale=10.0, margin=0.3).double()
    arcface = build("arcface", classes=3, scale=10.0, margin=0.3).double()
    angles = 2 * math.pi * torch.arange(3, dtype=torch.float64) / 3
    directions = torch.stack([angles.cos(), angles.sin()], 1)
    ours.weight.data, arcface.weight.data = directions.clone(), directions.clone()
    y = torch.arange(12) % 3
    x = directions[y] + 0.2 * torch.randn(12, 2, dtype=torch.float64)
    torch.testing.assert_close(ours(x, y), arcface(x, y), rtol=0, atol=1e-10)


@pytest.mark.parametrize(("t", "cosine"), [(0.0, 0.9), (0.5, 0.9), (1.0, 0.9), (0.3, -0.2)])
def test_hand_value_of_a_hard_negative(t, cosine):
    """The own class opposite: f_y = s (-1 - m sin m), and the other scores s c (t + c)."""
    loss = build("curricularface", classes=2, scale=2.0, margin=0.5).double()
    loss.t.fill_(t)
    loss.weight.data = torch.tensor([[-1.0, 0.0], [cosine, math.sqrt(1 - cosine**2)]], dtype=torch.float64)
    value = loss(torch.tensor([[3.0, 0.0]], dtype=torch.float64), torch.tensor([0])).item()
    difference = 2 * cosine * (t + cosine) + 2 * (1 + 0.5 * math.sin(0.5))
    assert value == pytest.approx(math.log1p(math.exp(difference)), abs=1e-10)


def test_hard_negatives_weigh_more_when_t_is_larger():
    y = torch.arange(10)
    wrong = (y + 1) % 10
    values = []
    for t in (0.0, 0.5, 1.0):
        loss = build("curricularface").double()
        loss.weight.data = torch.tensor(
            [[math.cos(k * math.pi / 5), math.sin(k * math.pi / 5)] for k in range(10)], dtype=torch.float64
        )
        loss.t.fill_(t)
        values.append(loss(loss.weight.detach()[y], wrong).item())
    assert values[0] < values[1] < values[2]


def test_t_follows_the_mean_cosine_after_the_value():
    """Perfect samples: the first value is that of t = 0, then t = 0.01, 0.0199, ..."""
    loss = build("curricularface")
    y = torch.arange(10)
    x = loss.weight.detach().clone()
    first = loss(x, y)
    assert torch.equal(first, build("curricularface", rate=0.5)(x, y))
    assert loss.t.item() == pytest.approx(0.01, abs=1e-6)
    loss(x, y)
    assert loss.t.item() == pytest.approx(0.0199, abs=1e-6)


def test_soft_start_is_modified_softmax_first():
    loss = build("curricularface")
    x, y = circle_points()
    x = x.float()
    final = loss(x, y)
    loss.t.zero_()
    advance(loss, 0.1)
    torch.testing.assert_close(loss(x, y), build("modified-softmax")(x, y))
    loss.t.zero_()
    advance(loss, 0.6)
    assert torch.equal(loss(x, y), final)
