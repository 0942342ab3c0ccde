"""Multi-similarity against its equations, with and without mining, and pytorch-metric-learning."""

from __future__ import annotations

import math

import pytest
import torch
from pytorch_metric_learning.losses import MultiSimilarityLoss
from pytorch_metric_learning.miners import MultiSimilarityMiner
from pytorch_metric_learning.reducers import MeanReducer

from .oracle import advance, assert_matches_reference, build, circle_points


def reference(x, y, state, *, alpha, beta, base, mining, epsilon, soft_start):
    """Pairs mined by loops (eqs. 11 and 12), then the two logarithms of eq. 15, averaged over the batch."""
    unit = [row / row.square().sum().sqrt() for row in x]
    total = 0 * x.sum()
    for i in range(len(y)):
        cosine = {j: unit[i] @ unit[j] for j in range(len(y)) if j != i}
        own = [j for j in cosine if y[j] == y[i]]
        other = [j for j in cosine if y[j] != y[i]]
        if mining:
            nearest = max((cosine[n].item() for n in other), default=-math.inf)
            farthest = min((cosine[p].item() for p in own), default=math.inf)
            own = [p for p in own if cosine[p].item() < nearest + epsilon]
            other = [n for n in other if cosine[n].item() > farthest - epsilon]
        total = (
            total + torch.log(1 + sum(torch.exp(-alpha * (cosine[p] - base)) for p in own)) / alpha
            if own
            else total
        )
        total = (
            total + torch.log(1 + sum(torch.exp(beta * (cosine[n] - base)) for n in other)) / beta
            if other
            else total
        )
    return total / len(y)


@pytest.mark.parametrize(
    "settings",
    [{}, {"mining": False}, {"epsilon": 0.0, "base": 0.5}, {"alpha": 5.0, "beta": 10.0, "epsilon": 0.3}],
)
@pytest.mark.parametrize("dim", [2, 5])
def test_matches_reference(settings, dim):
    batch = circle_points(20, classes=5, dim=dim)
    assert_matches_reference("multi-similarity", reference, classes=5, dim=dim, batch=batch, **settings)


@pytest.mark.parametrize("mining", [True, False])
def test_matches_reference_where_classes_are_missing(mining):
    x, _ = circle_points(12)
    y = torch.tensor([0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8])
    assert_matches_reference("multi-similarity", reference, batch=(x, y), mining=mining)


@pytest.mark.parametrize("mining", [True, False])
@pytest.mark.parametrize("dim", [2, 5])
def test_matches_pytorch_metric_learning(mining, dim):
    x, y = circle_points(dim=dim)
    ours_x, theirs_x = x.clone().requires_grad_(), x.clone().requires_grad_()
    value = build("multi-similarity", dim=dim, base=0.5, mining=mining)(ours_x, y)
    pairs = MultiSimilarityMiner(epsilon=0.1)(theirs_x, y) if mining else None
    expected = MultiSimilarityLoss(2, 50, 0.5, reducer=MeanReducer())(theirs_x, y, pairs)
    value.backward()
    expected.backward()
    torch.testing.assert_close(value, expected, rtol=0, atol=1e-8)
    torch.testing.assert_close(ours_x.grad, theirs_x.grad, rtol=0, atol=1e-8)


def test_mining_drops_satisfied_pairs():
    """Two tight classes at right angles: every pair is in order by more than epsilon, nothing is left."""
    y = torch.arange(8) % 2
    x = torch.stack([1.0 - y, 1.0 * y], 1).requires_grad_()
    value = build("multi-similarity")(x, y)
    value.backward()
    assert value.item() == 0
    assert x.grad.abs().sum() == 0
    assert build("multi-similarity", mining=False)(x, y).item() > 0


def test_hand_value_without_mining():
    """Orthogonal pairs: each anchor has one positive at 1, two negatives at 0; base 0.5."""
    x, y = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]), torch.tensor([0, 0, 1, 1])
    loss = build("multi-similarity", alpha=2.0, beta=4.0, base=0.5, mining=False)
    expected = math.log1p(math.exp(-1.0)) / 2 + math.log1p(2 * math.exp(-2.0)) / 4
    assert loss(x, y).item() == pytest.approx(expected, abs=1e-6)


def test_default_base_lies_between_a_class_and_its_neighbour():
    assert build("multi-similarity").base == pytest.approx((1 + math.cos(math.pi / 5)) / 2, abs=1e-3)
    assert build("multi-similarity", dim=64).base == pytest.approx(0.5)


def test_soft_start_is_a_log_probability_first_and_the_papers_loss_in_the_end():
    loss = build("multi-similarity").double()
    x, y = circle_points()
    paper = build("multi-similarity", soft_start=0.0).double()(x, y)
    assert torch.equal(loss(x, y), paper)
    advance(loss, 0.1)
    scores = x @ (x / x.norm(dim=1, keepdim=True)).T
    rows = []
    for i in range(len(y)):
        everyone = torch.log(sum(torch.exp(scores[i, j]) for j in range(len(y)) if j != i))
        own = [p for p in range(len(y)) if p != i and y[p] == y[i]]
        rows.append(sum(everyone - scores[i, p] for p in own) / len(own))
    torch.testing.assert_close(loss(x, y), torch.stack(rows).mean(), rtol=0, atol=1e-10)
