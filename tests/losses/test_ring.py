"""Ring loss against its equation."""

from __future__ import annotations

import pytest
import torch

from .oracle import assert_matches_reference, build, circle_points


def reference(x, y, state, *, radius):
    """Half the mean of (|x| - R)^2; R is the parameter, the setting only its start."""
    total = 0
    for sample in x:
        total = total + (sum(value**2 for value in sample).sqrt() - state["radius"]) ** 2 / 2
    return total / len(y)


@pytest.mark.parametrize("radius", [0.5, 10.0])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_matches_reference(radius, dim):
    assert_matches_reference("ring", reference, dim=dim, radius=radius)


def test_known_value_and_gradients():
    """|x| = 5, R = 3: 2; dL/dx = (1 - R/|x|) x, dL/dR = R - |x|."""
    loss = build("ring", radius=3.0)
    x = torch.tensor([[3.0, -4.0]], requires_grad=True)
    value = loss(x, torch.tensor([0]))
    value.backward()
    assert value.item() == pytest.approx(2.0)
    torch.testing.assert_close(x.grad, 0.4 * x.detach())
    assert loss.radius.grad.item() == pytest.approx(-2.0)


def test_labels_play_no_part():
    x, y = circle_points()
    loss = build("ring").double()
    assert torch.equal(loss(x, y), loss(x, y.flip(0)))


def test_zero_feature_has_no_gradient_and_nothing_breaks():
    x = torch.zeros(3, 2, requires_grad=True)
    loss = build("ring", radius=2.0)
    value = loss(x, torch.zeros(3, dtype=torch.long))
    value.backward()
    assert value.item() == pytest.approx(2.0)
    assert not x.grad.any()


def test_the_radius_settles_at_the_mean_length():
    x, y = circle_points()
    loss = build("ring").double()
    optimizer = torch.optim.SGD(loss.parameters(), lr=0.5)
    for _ in range(80):
        optimizer.zero_grad()
        loss(x, y).backward()
        optimizer.step()
    torch.testing.assert_close(loss.radius.detach(), x.norm(dim=1).mean(), rtol=0, atol=1e-9)
