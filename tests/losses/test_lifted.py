"""Lifted structure against both equations and both losses of pytorch-metric-learning."""

from __future__ import annotations

import math

import pytest
import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import GeneralizedLiftedStructureLoss, LiftedStructureLoss
from pytorch_metric_learning.reducers import MeanReducer

from .oracle import assert_matches_reference, build, circle_points


def reference(x, y, state, *, margin, generalized):
    """Unordered positive pairs with the negatives of both ends; or anchors with all their pairs."""
    size = len(y)

    def distance(i, j):
        return (x[i] - x[j]).square().sum().sqrt()

    pushes = [[torch.exp(margin - distance(i, n)) for n in range(size) if y[n] != y[i]] for i in range(size)]
    total, terms = 0 * x.sum(), 0
    for i in range(size):
        own = [j for j in range(size) if j != i and y[j] == y[i] and pushes[i]]
        if generalized and own:
            value = torch.log(sum(torch.exp(distance(i, p)) for p in own)) + torch.log(sum(pushes[i]))
            total, terms = total + value.clamp(min=0), terms + 1
        if not generalized:
            for j in own:
                if i < j:
                    value = torch.log(sum(pushes[i]) + sum(pushes[j])) + distance(i, j)
                    total, terms = total + value.clamp(min=0) ** 2 / 2, terms + 1
    return total / max(terms, 1)


@pytest.mark.parametrize("generalized", [False, True])
@pytest.mark.parametrize("margin", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_matches_reference(margin, generalized, dim):
    batch = circle_points(16, classes=4, dim=dim)
    chosen = {"margin": margin, "generalized": generalized}
    assert_matches_reference("lifted", reference, classes=4, dim=dim, batch=batch, **chosen)


@pytest.mark.parametrize("generalized", [False, True])
def test_matches_reference_where_some_terms_are_satisfied(generalized):
    """Classes far apart: some brackets are negative and cost nothing, some samples have no partner."""
    x, _ = circle_points(10)
    y = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 3, 4])
    x = x / 2 + 4 * y.unsqueeze(1)
    assert_matches_reference("lifted", reference, batch=(x, y), generalized=generalized)


@pytest.mark.parametrize("generalized", [False, True])
@pytest.mark.parametrize("scale", [1.0, 6.0])
def test_matches_pytorch_metric_learning(generalized, scale):
    kind = GeneralizedLiftedStructureLoss if generalized else LiftedStructureLoss
    theirs = kind(1, 0, distance=LpDistance(normalize_embeddings=False, p=2), reducer=MeanReducer())
    x, y = circle_points()
    ours_x, theirs_x = (scale * x).requires_grad_(), (scale * x).requires_grad_()
    value = build("lifted", generalized=generalized)(ours_x, y)
    expected = theirs(theirs_x, y)
    value.backward()
    expected.backward()
    torch.testing.assert_close(value, expected, rtol=0, atol=1e-8)
    torch.testing.assert_close(ours_x.grad, theirs_x.grad, rtol=0, atol=1e-8)


def test_hand_value():
    """A pair at 1, its rival at 3 and 2: J = log(e^(1-3) + e^(1-2)) + 1."""
    x, y = torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([0, 0, 1])
    j = math.log(math.exp(-2) + math.exp(-1)) + 1
    assert build("lifted", dim=1)(x, y).item() == pytest.approx(j**2 / 2, abs=1e-6)
    x = torch.tensor([[0.0], [1.0], [1.5]])
    assert build("lifted", dim=1, generalized=True)(x, y).item() == pytest.approx((0.5 + 1.5) / 2, abs=1e-6)


@pytest.mark.parametrize("generalized", [False, True])
def test_no_usable_pair_gives_a_differentiable_zero(generalized):
    x, y = circle_points(10)
    for labels in (y, 0 * y):
        leaf = x.clone().requires_grad_()
        value = build("lifted", generalized=generalized)(leaf, labels)
        value.backward()
        assert value.item() == 0
        assert leaf.grad.abs().sum() == 0
