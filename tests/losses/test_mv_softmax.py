"""MV-Softmax against its equation; ArcFace and CosFace where no class counts more."""

from __future__ import annotations

import math

import pytest
import torch

from .oracle import assert_matches_reference, build, circle_points


def reference(x, y, state, *, form, scale, margin, cosine_margin, t, soft_start):
    """Angles by acos; every class above the own target is replaced by t c + t - 1."""
    total = 0
    for i, label in enumerate(y):
        cosines = []
        for w in state["weight"]:
            dot = sum(w[d] * x[i, d] for d in range(len(w)))
            cosines.append(dot / (x[i].square().sum().sqrt() * w.square().sum().sqrt()))
        theta = torch.acos(cosines[label])
        if form == "am":
            target = cosines[label] - cosine_margin
        elif theta + margin > math.pi:
            target = cosines[label] - margin * math.sin(margin)
        else:
            target = torch.cos(theta + margin)
        shares = []
        for j, cosine in enumerate(cosines):
            score = target if j == label else t * cosine + t - 1 if cosine > target else cosine
            shares.append(torch.exp(scale * score))
        total = total - torch.log(shares[label] / sum(shares))
    return total / len(y)


@pytest.mark.parametrize("form", ["arc", "am"])
@pytest.mark.parametrize("settings", [{}, {"t": 1.4, "scale": 8.0}, {"margin": 0.5, "cosine_margin": 0.35}])
@pytest.mark.parametrize("dim", [2, 5])
def test_matches_reference(form, settings, dim):
    assert_matches_reference("mv-softmax", reference, dim=dim, form=form, **settings)


@pytest.mark.parametrize(("form", "parent"), [("arc", "arcface"), ("am", "cosface")])
def test_without_weight_it_is_its_parent(form, parent):
    x, y = circle_points()
    ours, theirs = build("mv-softmax", form=form, t=1.0).double(), build(parent).double()
    torch.testing.assert_close(ours(x, y), theirs(x, y), rtol=0, atol=1e-12)


def test_hand_value_of_a_class_that_wins():
    """Right angles, x half way between: cosines 0.6 and 0.8, margin 0.1, t = 1.2."""
    loss = build("mv-softmax", classes=2, scale=1.0, cosine_margin=0.1, t=1.2).double()
    loss.weight.data = torch.eye(2, dtype=torch.float64)
    value = loss(torch.tensor([[0.6, 0.8]], dtype=torch.float64), torch.tensor([0])).item()
    assert value == pytest.approx(math.log1p(math.exp(1.2 * 0.8 + 0.2 - 0.5)))


def test_classes_below_the_own_target_count_as_they_are():
    loss = build("mv-softmax", classes=2, scale=1.0, cosine_margin=0.1, t=1.2).double()
    loss.weight.data = torch.eye(2, dtype=torch.float64)
    value = loss(torch.tensor([[0.8, 0.6]], dtype=torch.float64), torch.tensor([0])).item()
    assert value == pytest.approx(math.log1p(math.exp(0.6 - 0.7)))
