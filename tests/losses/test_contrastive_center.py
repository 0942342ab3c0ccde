"""Contrastive-center loss against its equation."""

from __future__ import annotations

import pytest
import torch

from .oracle import assert_matches_reference, build, circle_points


def reference(x, y, state, *, delta):
    """The ratio of squared distances, sample by sample; the centers are parameters."""
    total = 0
    for i, label in enumerate(y):
        squared = [sum((x[i, d] - c[d]) ** 2 for d in range(len(c))) for c in state["centers"]]
        total = total + squared[label] / (sum(squared) - squared[label] + delta) / 2
    return total / len(y)


@pytest.mark.parametrize("delta", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_matches_reference(delta, dim):
    assert_matches_reference("contrastive-center", reference, dim=dim, delta=delta)


def test_known_value():
    """Two classes at 0 and 3, x at 1: (1 / (4 + 1)) / 2."""
    loss = build("contrastive-center", classes=2, dim=1)
    loss.centers.data = torch.tensor([[0.0], [3.0]])
    assert loss(torch.tensor([[1.0]]), torch.tensor([0])).item() == pytest.approx(0.1)


def test_moving_a_strange_center_away_lowers_it():
    loss = build("contrastive-center").double()
    x, _ = circle_points()
    y = torch.zeros(len(x), dtype=torch.long)
    before = loss(x, y)
    before.backward()
    assert (loss.centers.grad[1:].norm(dim=1) > 0).all()
    loss.centers.data[5] += 10 * (loss.centers.data[5] - x.mean(0))
    assert loss(x, y) < before


def test_the_size_of_the_space_does_not_matter_without_delta():
    loss, larger = build("contrastive-center", delta=1e-12).double(), build("contrastive-center", delta=1e-12)
    larger = larger.double()
    larger.centers.data *= 50
    x, y = circle_points()
    torch.testing.assert_close(loss(x, y), larger(50 * x, y), rtol=0, atol=1e-9)


def test_the_centers_belong_to_the_optimizer():
    assert [name for name, _ in build("contrastive-center").named_parameters()] == ["centers"]
