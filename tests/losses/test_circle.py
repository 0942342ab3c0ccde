"""Class-level circle loss against the one-log form of the paper, and its geometry."""

from __future__ import annotations

import math

import pytest
import torch

from lossbench.specs import catalog
from lossbench.specs.feasibility import neighbour_angle

from .oracle import assert_matches_reference, build, circle_points


def reference(x, y, state, *, scale, margin, soft_start):
    """Eq. 6 with one positive: log(1 + sum_n exp(..) exp(..)), the weights as numbers; progress is 1."""
    total = 0
    for i, label in enumerate(y):
        cosines = []
        for w in state["weight"]:
            dot = sum(w[d] * x[i, d] for d in range(len(w)))
            cosines.append(dot / (x[i].square().sum().sqrt() * w.square().sum().sqrt()))
        a_p = max(0.0, 1 + margin - cosines[label].item())
        positive = torch.exp(-scale * a_p * (cosines[label] - (1 - margin)))
        negatives = 0
        for j, c in enumerate(cosines):
            if j != label:
                negatives = negatives + torch.exp(scale * max(0.0, c.item() + margin) * (c - margin))
        total = total + torch.log(1 + negatives * positive)
    return total / len(y)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"scale": 80.0, "margin": 0.4},
        {"margin": 0.25},
        {"scale": 10.0, "margin": 0.0},
        {"soft_start": 0.0},
    ],
)
@pytest.mark.parametrize("dim", [2, 5])
def test_matches_reference(settings, dim):
    assert_matches_reference("circle", reference, dim=dim, **settings)


def two_classes(own, other, **settings):
    """Value and slopes (d/d c_p, d/d c_n) at chosen cosines: x is a unit axis, W holds the cosines."""
    loss = build("circle", classes=2, dim=3, **settings).double()
    x = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64)
    angles = torch.tensor([math.acos(own), math.acos(other)], dtype=torch.float64, requires_grad=True)
    w = torch.stack([angles.cos(), angles.sin(), torch.zeros_like(angles)], 1)
    value = torch.func.functional_call(loss, {"weight": w}, (x, torch.tensor([0])))
    (slopes,) = torch.autograd.grad(value, angles)
    return value.item(), (slopes / -angles.sin()).tolist()


@pytest.mark.parametrize("turn", [0.4, 1.0, 1.4])
def test_the_boundary_is_the_papers_circle(turn):
    """On c_n^2 + (1 - c_p)^2 = 2 m^2 both scores are equal: the value is log 2."""
    m = 0.25
    own, other = 1 - math.sqrt(2) * m * math.sin(turn), math.sqrt(2) * m * math.cos(turn)
    assert two_classes(own, other, margin=m)[0] == pytest.approx(math.log(2), abs=1e-9)


def test_slopes_are_scaled_by_the_distance_to_the_optimum():
    """The weights are not differentiated: the slopes' ratio is exactly -a_p : a_n."""
    _, (own, other) = two_classes(0.6, 0.3, margin=0.25)
    assert own < 0 < other
    assert -own / other == pytest.approx((1.25 - 0.6) / (0.3 + 0.25), rel=1e-9)


def test_a_negative_beyond_its_optimum_is_at_rest():
    assert two_classes(0.6, -0.4, margin=0.25)[1][1] == 0


def test_finite_at_the_papers_scale_in_float32():
    x, y = circle_points()
    x = x.float().requires_grad_()
    value = build("circle", scale=256.0, margin=0.25)(x, y)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(x.grad).all()


def test_a_perfect_sample_is_inside_the_boundary_at_the_default_margin():
    for classes, dim in ((10, 2), (3, 2), (10, 64)):
        setting = catalog.spec("losses", "circle").settings["margin"]
        m, neighbour = setting.default_for(classes, dim), math.cos(neighbour_angle(classes, dim))
        assert max(neighbour, 0) < math.sqrt(2) * m
        assert m >= 0.25
