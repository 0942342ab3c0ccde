"""Git loss against its equation, pair by pair."""

from __future__ import annotations

import pytest
import torch

from lossbench.losses import Center

from .oracle import assert_matches_reference, build, circle_points


def squared(a, b):
    return sum((a[d] - b[d]) ** 2 for d in range(len(a)))


def reference(x, y, state, *, alpha, push):
    """Center term plus the mean over ordered pairs of different samples; then the center-loss rule."""
    centers = state["centers"]
    pull = sum(squared(x[i], centers[label]) for i, label in enumerate(y)) / 2 / len(y)
    pushes = [1 / (1 + squared(x[i], centers[y[j]])) for i in range(len(y)) for j in range(len(y)) if i != j]
    moved = centers.clone()
    for j in range(len(centers)):
        members = [i for i, label in enumerate(y) if label == j]
        delta = sum((centers[j] - x[i].detach() for i in members), torch.zeros_like(centers[j]))
        moved[j] = centers[j] - alpha * delta / (1 + len(members))
    return pull + push * sum(pushes) / max(len(pushes), 1), {"centers": moved}


@pytest.mark.parametrize("settings", [{}, {"alpha": 0.1, "push": 5.0}, {"push": 0.0}])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_matches_reference(settings, dim):
    assert_matches_reference("git", reference, dim=dim, batch=circle_points(20, dim=dim), **settings)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_matches_reference_on_small_batches(count):
    x, y = circle_points(count)
    assert_matches_reference("git", reference, batch=(x, y % 3))


def test_without_push_it_is_the_center_loss():
    """To rounding: the distances are picked from a (B, C) table here."""
    x, y = circle_points()
    loss = build("git", push=0.0).double()
    center = Center(10, 2, alpha=0.5).double()
    center.centers.copy_(loss.centers)
    for _ in range(3):
        torch.testing.assert_close(loss(x, y), center(x, y), rtol=0, atol=1e-12)
        torch.testing.assert_close(loss.centers, center.centers, rtol=0, atol=1e-12)


def test_known_value_of_two_samples():
    """Centers 0 and 3, both samples on their center: no pull, push (1/10 + 1/10) / 2."""
    loss = build("git", classes=2, dim=1, push=2.0)
    loss.centers.copy_(torch.tensor([[0.0], [3.0]]))
    value = loss(torch.tensor([[0.0], [3.0]]), torch.tensor([0, 1]))
    assert value.item() == pytest.approx(0.2)


def test_samples_of_one_class_push_each_other_from_their_center():
    """As in the paper, i != j counts samples, not classes."""
    x = torch.tensor([[0.5, 0.0], [0.5, 0.0]])
    loss = build("git", push=1.0)
    loss.centers[0] = 0
    assert loss(x, torch.zeros(2, dtype=torch.long)).item() == pytest.approx(0.125 + 0.8)
