"""Dot regression to fixed directions, and `fixed` of the other classifiers."""

from __future__ import annotations

import math

import pytest
import torch

from lossbench.specs import catalog
from lossbench.specs.directions import spread_directions

from .oracle import assert_matches_reference, build, circle_points

FIXABLE = [name for name in catalog.names("losses") if "fixed" in catalog.spec("losses", name).settings]


def reference(x, y, state, *, length, soft_start):
    """Half the squared gap between the dot product with the own direction and the length, over the length."""
    total = 0
    for i, label in enumerate(y):
        norm = x[i].square().sum().sqrt() * state["weight"][label].square().sum().sqrt()
        dot = sum(length * x[i, d] * state["weight"][label, d] / norm for d in range(x.shape[1]))
        total = total + (dot - length) ** 2 / length / 2
    return total / len(y)


@pytest.mark.parametrize("length", [0.5, 1.0, 10.0])
@pytest.mark.parametrize("dim", [2, 5, 12])
def test_matches_reference(length, dim):
    assert_matches_reference("etf", reference, dim=dim, length=length)


def test_directions_are_a_simplex_where_there_is_room():
    """Gram matrix C / (C - 1) (I - 1/C): the equiangular tight frame."""
    weight = build("etf", classes=5, dim=8).weight.double()
    expected = 5 / 4 * (torch.eye(5, dtype=torch.float64) - 1 / 5)
    torch.testing.assert_close(weight @ weight.T, expected, rtol=0, atol=1e-6)


def test_in_the_plane_neighbours_stand_36_degrees_apart():
    weight = build("etf").weight
    cosines = (weight * weight.roll(1, 0)).sum(1)
    torch.testing.assert_close(cosines, torch.full((10,), math.cos(math.pi / 5)))


def test_nothing_is_trained_and_the_directions_are_stored():
    loss = build("etf")
    assert not list(loss.parameters())
    assert "weight" in loss.state_dict()


def test_gradient_turns_a_feature_straight_to_its_direction():
    """The gradient is (cos - 1) times that of the cosine: no other class pushes."""
    loss = build("etf").double()
    x = torch.tensor([[math.cos(0.5), math.sin(0.5)]], dtype=torch.float64, requires_grad=True)
    loss(x, torch.tensor([0])).backward()
    size = (1 - math.cos(0.5)) * math.sin(0.5)
    expected = size * torch.tensor([[-math.sin(0.5), math.cos(0.5)]], dtype=torch.float64)
    torch.testing.assert_close(x.grad, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", FIXABLE)
def test_fixed_directions_of_other_classifiers(name):
    """The weights are spread unit vectors, no parameter, and do not move; features still learn."""
    loss = build(name, fixed=True)
    expected = torch.tensor(spread_directions(len(loss.weight), 2)).float()
    torch.testing.assert_close(loss.weight, expected)
    assert "weight" not in dict(loss.named_parameters())
    before = loss.weight.clone()
    x, y = circle_points()
    x = x.float().requires_grad_()
    loss(x, y).backward()
    assert torch.equal(loss.weight, before)
    assert x.grad.abs().sum() > 0


def test_every_classifier_with_trained_class_weights_can_be_fixed():
    """The others have fixed directions, centers, or features that they remember."""
    trained = {name for name in catalog.names("losses") if "weight" in dict(build(name).named_parameters())}
    assert trained == set(FIXABLE)
