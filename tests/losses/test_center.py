"""Center loss against its equations, and the properties that public versions get wrong."""

from __future__ import annotations

import pytest
import torch

from .oracle import assert_matches_reference, build, circle_points


def reference(x, y, state, *, alpha):
    """Eq. 2 as a mean over the batch, then eq. 4 with the features and centers of this iteration."""
    centers = state["centers"]
    value = 0
    for i, label in enumerate(y):
        value = value + sum((x[i, d] - centers[label, d]) ** 2 for d in range(x.shape[1])) / 2
    moved = centers.clone()
    for j in range(len(centers)):
        members = [i for i, label in enumerate(y) if label == j]
        delta = sum((centers[j] - x[i].detach() for i in members), torch.zeros_like(centers[j]))
        moved[j] = centers[j] - alpha * delta / (1 + len(members))
    return value / len(y), {"centers": moved}


@pytest.mark.parametrize("alpha", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_matches_reference(alpha, dim):
    assert_matches_reference("center", reference, dim=dim, alpha=alpha)


def test_hand_value_of_the_update():
    """Three samples of one class at p: the center moves by alpha * 3 (p - c) / 4, absent classes not at all."""
    loss = build("center", alpha=0.5)
    before = loss.centers.clone()
    p = torch.tensor([2.0, -1.0])
    loss(p.expand(3, 2), torch.zeros(3, dtype=torch.long))
    torch.testing.assert_close(loss.centers[0], before[0] + 0.5 * 3 * (p - before[0]) / 4)
    assert torch.equal(loss.centers[1:], before[1:])


def test_one_sample_moves_half_of_alpha():
    loss = build("center", alpha=0.6)
    before = loss.centers[4].clone()
    loss(torch.ones(1, 2), torch.tensor([4]))
    torch.testing.assert_close(loss.centers[4], before + 0.3 * (torch.ones(2) - before))


def test_centers_are_out_of_the_optimizers_reach():
    """A buffer: neither weight decay nor the gradient of lambda * L_C can move it."""
    loss = build("center")
    assert not list(loss.parameters())
    x, y = circle_points()
    x.requires_grad_()
    small, large = build("center"), build("center")
    (0.001 * small.double()(x, y)).backward()
    (1000 * large.double()(x, y)).backward()
    assert torch.equal(small.centers, large.centers)
