"""Triplet-center loss against its equation, by hand, and where it is at rest."""

from __future__ import annotations

import pytest
import torch

from .oracle import assert_matches_reference, build, circle_points


def reference(x, y, state, *, margin):
    """Half squared distances: own center plus m minus the nearest other center, where that is positive."""
    total = 0 * x.sum()
    for i, label in enumerate(y):
        halves = [sum((x[i, d] - c[d]) ** 2 for d in range(len(c))) / 2 for c in state["centers"]]
        nearest = min(half for j, half in enumerate(halves) if j != label)
        violation = halves[label] + margin - nearest
        if violation > 0:
            total = total + violation
    return total / len(y)


@pytest.mark.parametrize("margin", [0.0, 0.5, 5.0])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_matches_reference(margin, dim):
    assert_matches_reference("triplet-center", reference, dim=dim, margin=margin)


@pytest.mark.parametrize(("point", "value"), [(0.0, 3.0), (1.0, 5.0), (-4.0, 0.0)])
def test_hand_values(point, value):
    """Centers 0, 2 and 7, class 0, m = 5: x^2/2 + 5 - (x - 2)^2/2 = 3 + 2x."""
    loss = build("triplet-center", classes=3, dim=1, margin=5.0)
    loss.centers.data = torch.tensor([[0.0], [2.0], [7.0]])
    assert loss(torch.tensor([[point]]), torch.tensor([0])).item() == pytest.approx(value)


def test_satisfied_samples_have_no_gradient():
    loss = build("triplet-center", classes=2, dim=1, margin=1.0)
    loss.centers.data = torch.tensor([[0.0], [4.0]])
    x = torch.tensor([[-0.5], [1.9]], requires_grad=True)
    loss(x, torch.tensor([0, 0])).backward()
    torch.testing.assert_close(x.grad, torch.tensor([[0.0], [2.0]]))  # the mean of two, slope 4 - 0


def test_only_the_own_and_the_nearest_other_center_move():
    loss = build("triplet-center", classes=3, dim=1, margin=5.0)
    loss.centers.data = torch.tensor([[0.0], [2.0], [7.0]])
    loss(torch.tensor([[1.0]]), torch.tensor([0])).backward()
    torch.testing.assert_close(loss.centers.grad, torch.tensor([[-1.0], [-1.0], [0.0]]))


def test_the_centers_belong_to_the_optimizer():
    assert [name for name, _ in build("triplet-center").named_parameters()] == ["centers"]


def test_a_single_class_has_no_other_center_and_no_loss():
    x = circle_points(classes=1)[0].float().requires_grad_()
    value = build("triplet-center", classes=1)(x, torch.zeros(len(x), dtype=torch.long))
    value.backward()
    assert value.item() == 0
    assert x.grad.abs().sum() == 0
