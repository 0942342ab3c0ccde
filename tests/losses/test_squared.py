"""Squared loss against its equation, torch, and the floor that two dimensions set."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from lossbench.losses import Squared

from .oracle import assert_matches_reference, build, circle_points


def reference(x, y, state, *, k, target, bias):
    """1/C (k (f_y - M)^2 + sum of the squares of the other scores)."""
    total = 0
    classes = len(state["weight"])
    for i, label in enumerate(y):
        for j, w in enumerate(state["weight"]):
            score = sum(w[d] * x[i, d] for d in range(len(w)))
            if bias:
                score = score + state["bias"][j]
            total = total + (k * (score - target) ** 2 if j == label else score**2) / classes
    return total / len(y)


@pytest.mark.parametrize(("k", "target", "bias"), [(1.0, 1.0, True), (4.0, 2.5, True), (0.5, 15.0, False)])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_matches_reference(k, target, bias, dim):
    assert_matches_reference("squared", reference, dim=dim, k=k, target=target, bias=bias)


def test_is_mean_squared_error_to_one_hot():
    loss = build("squared", k=1.0).double()
    x, y = circle_points()
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    value = loss(ours, y)
    value.backward()
    expected = F.mse_loss(theirs @ loss.weight.T.detach() + loss.bias.detach(), F.one_hot(y, 10).double())
    expected.backward()
    torch.testing.assert_close(value, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-12)


def test_hand_value():
    """Scores (0.5, 2) of class 0 with k = 3, M = 2: (3 * 1.5^2 + 2^2) / 2."""
    loss = Squared(2, 1, k=3.0, target=2.0)
    loss.weight.data = torch.tensor([[0.5], [2.0]])
    assert loss(torch.ones(1, 1), torch.tensor([0])).item() == pytest.approx((3 * 2.25 + 4) / 2)


def best_fit(x, y, k):
    """The loss after the best weights and bias for fixed points: weighted least squares, score by score."""
    loss = Squared(10, 2, k=k).double()
    design = torch.cat([x, torch.ones(len(x), 1, dtype=torch.float64)], 1)
    for j in range(10):
        root = torch.where(y == j, k, 1.0).double().sqrt()[:, None]
        target = root * (y == j)[:, None]
        best = torch.linalg.lstsq(root * design, target).solution[:, 0]
        loss.weight.data[j], loss.bias.data[j] = best[:2], best[2]
    return loss, loss(x, y).item()


def test_floor_in_the_plane_is_seven_hundredths_and_k_prefers_a_circle():
    """(1 - 3/C) / C for k = 1 on a circle and with one class in the middle of it; k > 1 tells them apart."""
    y = torch.arange(10)
    circle = torch.stack([torch.cos(y * 0.2 * torch.pi), torch.sin(y * 0.2 * torch.pi)], 1).double()
    masked = circle.clone()
    masked[9] = 0
    loss, value = best_fit(circle, y, 1.0)
    assert value == pytest.approx(0.07, abs=1e-6)  # float32 angles
    assert torch.equal(loss.logits(circle).argmax(1), y)
    assert best_fit(masked, y, 1.0)[1] == pytest.approx(0.07, abs=1e-6)
    assert best_fit(circle, y, 9.0)[1] < best_fit(masked, y, 9.0)[1] - 1e-3


def test_default_k_depends_on_the_shape():
    assert (build("squared").k, build("squared", dim=9).k) == (9.0, 1.0)


def test_separated_clusters_score_lower_than_a_mixed_cloud():
    """Both with their best weights: the battery's own have scores far beyond the target."""
    y = torch.arange(60) % 10
    tight = torch.stack([torch.cos(y * 0.2 * torch.pi), torch.sin(y * 0.2 * torch.pi)], 1).double()
    mixed = tight[torch.randperm(60, generator=torch.Generator().manual_seed(1))]
    assert best_fit(tight, y, 9.0)[1] < 0.9 * best_fit(mixed, y, 9.0)[1]
