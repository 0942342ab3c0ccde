"""GCPL against its equation, and L-GM where both are the softmax of squared distances."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from .oracle import assert_matches_reference, build, circle_points


def reference(x, y, state, *, temperature, lam, prototypes):
    """-log of the own prototypes' share of exp(-distance / T), plus half the distance to the nearest of them."""
    total = 0
    for i, label in enumerate(y):
        squares = [sum((x[i, d] - c[d]) ** 2 for d in range(len(c))) for c in state["centers"]]
        shares = [torch.exp(-square / temperature) for square in squares]
        own = range(label * prototypes, (label + 1) * prototypes)
        pull = min(squares[k] for k in own) / 2
        total = total - torch.log(sum(shares[k] for k in own) / sum(shares)) + lam * pull
    return total / len(y)


@pytest.mark.parametrize(
    "settings", [{}, {"temperature": 3.0, "lam": 0.5}, {"prototypes": 3}, {"lam": 0.0, "prototypes": 2}]
)
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_matches_reference(settings, dim):
    assert_matches_reference("gcpl", reference, dim=dim, **settings)


def test_without_pull_it_is_lgm_without_margin():
    """-|x - c|^2 / T at T = 2 is L-GM's -|x - c|^2 / 2; the pull is its likelihood term."""
    x, y = circle_points()
    ours = build("gcpl", temperature=2.0, lam=0.1).double()
    theirs = build("lgm", alpha=0.0, lam=0.1).double()
    torch.testing.assert_close(ours(x, y), theirs(x, y), rtol=0, atol=1e-12)


def test_several_prototypes_share_the_probability_of_their_class():
    """Probabilities of prototypes add up to those of classes, whose logarithms are the scores."""
    x, _ = circle_points()
    loss = build("gcpl", prototypes=3).double()
    distances = torch.cdist(x, loss.centers).square()
    expected = torch.softmax(-distances, 1).view(len(x), 10, 3).sum(2)
    torch.testing.assert_close(torch.softmax(loss.logits(x), 1), expected, rtol=0, atol=1e-12)


def test_only_the_nearest_own_prototype_pulls():
    loss = build("gcpl", classes=1, dim=1, lam=1.0, prototypes=2)
    loss.centers.data = torch.tensor([[0.0], [3.0]])
    x = torch.tensor([[1.0]], requires_grad=True)
    value = loss(x, torch.tensor([0]))
    value.backward()
    assert value.item() == pytest.approx(0.5)
    assert x.grad.item() == pytest.approx(1.0)


def test_hand_value():
    """Prototypes 0 and 2, x = 0.5 of class 0: squares 0.25 and 2.25."""
    loss = build("gcpl", classes=2, dim=1, lam=0.1)
    loss.centers.data = torch.tensor([[0.0], [2.0]])
    value = loss(torch.tensor([[0.5]]), torch.tensor([0])).item()
    assert value == pytest.approx(math.log1p(math.exp(-2)) + 0.1 * 0.125)


def test_far_features_are_finite():
    loss = build("gcpl", lam=0.0)
    value = loss(torch.full((4, 2), 1e4), torch.arange(4))
    assert torch.isfinite(value)
    assert F.softplus(value) > 0
