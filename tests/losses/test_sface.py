"""SFace against its equation, and the angles at which its forces end."""

from __future__ import annotations

import math

import pytest
import torch

from .oracle import assert_matches_reference, build


def reference(x, y, state, *, scale, k, a, b, soft_start):
    """Cosines times sigmoids of their angles; the sigmoids carry no gradient."""
    total = 0
    for i, label in enumerate(y):
        for j, w in enumerate(state["weight"]):
            dot = sum(w[d] * x[i, d] for d in range(len(w)))
            cosine = dot / (x[i].square().sum().sqrt() * w.square().sum().sqrt())
            theta = math.acos(float(cosine.detach()))
            if j == label:
                total = total - scale * cosine / (1 + math.exp(-k * (theta - a)))
            else:
                total = total + scale * cosine / (1 + math.exp(k * (theta - b)))
    return total / len(y)


@pytest.mark.parametrize("settings", [{}, {"scale": 10.0, "k": 20.0}, {"a": 0.8, "b": 1.23}])
@pytest.mark.parametrize("dim", [2, 5])
def test_matches_reference(settings, dim):
    assert_matches_reference("sface", reference, dim=dim, **settings)


def own_gradient(angle, **settings):
    """How strongly a feature at this angle to its direction is turned; the other class is opposite."""
    loss = build("sface", classes=2, scale=1.0, **settings).double()
    loss.weight.data = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    theta = torch.tensor(angle, dtype=torch.float64, requires_grad=True)
    loss(torch.stack([theta.cos(), theta.sin()])[None], torch.tensor([0])).backward()
    return theta.grad.item()


def test_the_pull_ends_at_a():
    """Half the force at a, none well inside, all of it well outside."""
    assert own_gradient(0.5, a=0.5, k=80.0) == pytest.approx(math.sin(0.5) / 2)
    assert own_gradient(0.3, a=0.5, k=80.0) == pytest.approx(0, abs=1e-6)
    assert own_gradient(0.7, a=0.5, k=80.0) == pytest.approx(math.sin(0.7), abs=1e-6)


def test_the_push_ends_at_b():
    """The other direction stands at pi - theta."""
    pull = math.sin(2.0)
    assert own_gradient(2.0, a=0.0, b=math.pi - 2.0) == pytest.approx(1.5 * pull, abs=1e-9)


def test_perfect_samples_are_at_rest_at_the_defaults_and_pushed_at_the_faces_settings():
    y = torch.arange(10)
    for settings, rest in (({}, True), ({"a": 0.8, "b": 1.23}, False)):
        loss = build("sface", fixed=True, **settings)
        x = loss.weight.clone().requires_grad_()
        value = loss(x, y)
        assert (abs(value.item()) < 0.01) == rest
