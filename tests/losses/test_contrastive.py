"""Contrastive against its equation, hand values, and the distance that makes it content."""

from __future__ import annotations

import pytest
import torch

from .oracle import assert_matches_reference, build, circle_points


def reference(x, y, state, *, margin):
    """Half the squared distance, or half the squared lack of distance, for every pair i < j."""
    total, pairs = 0 * x.sum(), 0
    for i in range(len(y)):
        for j in range(i + 1, len(y)):
            distance = (x[i] - x[j]).square().sum().sqrt()
            if y[i] == y[j]:
                total = total + distance**2 / 2
            elif distance < margin:
                total = total + (margin - distance) ** 2 / 2
            pairs += 1
    return total / pairs


@pytest.mark.parametrize("margin", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_matches_reference(margin, dim):
    batch = circle_points(24, classes=4, dim=dim)
    assert_matches_reference("contrastive", reference, classes=4, dim=dim, batch=batch, margin=margin)


def test_hand_value():
    """One pair at 2 of one class, distances 0.5 and 1.5 to a third point, margin 1: (4 + 0.25) / 2 / 3."""
    x, y = torch.tensor([[0.0], [2.0], [0.5]]), torch.tensor([0, 0, 1])
    assert build("contrastive", dim=1)(x, y).item() == pytest.approx((4 + 0.25) / 6)


def test_scaling_points_and_margin_scales_by_the_square():
    x, y = circle_points()
    small, large = build("contrastive", margin=1.0), build("contrastive", margin=3.0)
    torch.testing.assert_close(large(3 * x, y), 9 * small(x, y))


def test_gradient_is_the_distance_for_equals_and_the_lack_of_it_for_others():
    """Two points at distance 0.4: pulled with 0.4, or pushed with 1 - 0.4."""
    for label, slope in ((0, 0.4), (1, -0.6)):
        x = torch.tensor([[0.0, 0.0], [0.4, 0.0]], requires_grad=True)
        build("contrastive")(x, torch.tensor([0, label])).backward()
        torch.testing.assert_close(x.grad, torch.tensor([[-slope, 0.0], [slope, 0.0]]))


def test_no_pair_gives_a_differentiable_zero():
    x = torch.ones(1, 2, requires_grad=True)
    value = build("contrastive")(x, torch.tensor([0]))
    value.backward()
    assert value.item() == 0
    assert x.grad.abs().sum() == 0


def test_equal_points_of_two_classes_have_a_finite_gradient():
    x = torch.ones(6, 2, requires_grad=True)
    value = build("contrastive")(x, torch.arange(6))
    value.backward()
    assert value.item() == pytest.approx(0.5)
    assert torch.isfinite(x.grad).all()
