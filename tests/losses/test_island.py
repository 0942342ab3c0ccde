"""Island loss against its equations: value, gradient of the features and the rule of the centers."""

from __future__ import annotations

import pytest
import torch

from lossbench.losses import Center

from .oracle import assert_matches_reference, build, circle_points


def cosine(a, b):
    dot = sum(a[d] * b[d] for d in range(len(a)))
    return dot / (a.square().sum().sqrt() * b.square().sum().sqrt())


def reference(x, y, state, *, alpha, repulsion):
    """Center term, all ordered pairs of centers; the rule's cosine part by automatic differentiation."""
    centers = state["centers"]
    count = len(centers)
    value = 0
    for i, label in enumerate(y):
        value = value + sum((x[i, d] - centers[label, d]) ** 2 for d in range(x.shape[1])) / 2 / len(y)
    for j in range(count):
        for k in range(count):
            if k != j:
                value = value + repulsion * (cosine(centers[j], centers[k]) + 1)
    moved = centers.clone()
    for j in range(count):
        c = centers[j].clone().requires_grad_()
        (turn,) = torch.autograd.grad(sum(cosine(c, centers[k]) for k in range(count) if k != j), c)
        members = [i for i, label in enumerate(y) if label == j]
        delta = sum((centers[j] - x[i].detach() for i in members), torch.zeros_like(c.detach()))
        delta = delta / (1 + len(members)) + repulsion / (count - 1) * turn
        moved[j] = centers[j] - alpha * delta
    return value, {"centers": moved}


@pytest.mark.parametrize("settings", [{}, {"alpha": 0.1, "repulsion": 0.5}, {"repulsion": 0.0}])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_matches_reference(settings, dim):
    assert_matches_reference("island", reference, dim=dim, **settings)


def test_without_repulsion_it_is_the_center_loss():
    x, y = circle_points()
    loss = build("island", repulsion=0.0, alpha=0.5)
    center = Center(10, 2, alpha=0.5)
    center.centers.copy_(loss.centers)
    for _ in range(3):
        assert torch.equal(loss(x.float(), y), center(x.float(), y))
        assert torch.equal(loss.centers, center.centers)


def test_features_feel_the_pull_alone():
    x, y = circle_points()
    gradients = []
    for repulsion in (0.0, 50.0):
        leaf = x.clone().requires_grad_()
        build("island", repulsion=repulsion).double()(leaf, y).backward()
        gradients.append(leaf.grad)
    assert torch.equal(*gradients)


def test_three_centers_turn_until_they_are_evenly_spread():
    loss = build("island", classes=3, repulsion=0.2).double()
    loss.centers.copy_(torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0]]))
    # the sample stands on its center: no pull, the cosines alone act
    values = [loss(loss.centers[:1].clone(), torch.tensor([0])).item() for _ in range(300)]
    # three directions in a plane: every cosine -1/2, so 6 (1 - 1/2) = 3 times lambda_1
    assert values[-1] == pytest.approx(3 * 0.2, abs=1e-3)
    units = loss.centers / loss.centers.norm(dim=1, keepdim=True)
    off_diagonal = (units @ units.T)[~torch.eye(3, dtype=torch.bool)]
    torch.testing.assert_close(off_diagonal, torch.full_like(off_diagonal, -0.5), rtol=0, atol=1e-3)
    assert values[-1] < values[0]


def test_a_center_at_the_origin_does_not_explode():
    loss = build("island")
    loss.centers[0] = 0
    loss.centers[1] = 1e-12
    x, y = circle_points()
    x = x.float().requires_grad_()
    loss(x, y).backward()
    assert torch.isfinite(x.grad).all()
    assert loss.centers.abs().max() < 1e5
