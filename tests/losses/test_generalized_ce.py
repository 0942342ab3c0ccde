"""Generalized cross-entropy against its equation, and its limits: cross-entropy and the absolute error."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from .oracle import assert_matches_reference, build, circle_points


def reference(x, y, state, *, q, bias):
    """(1 - p^q) / q, with p the softmax share of the own class, sample by sample; q = 0 is the limit."""
    total = 0
    for i, label in enumerate(y):
        shares = []
        for j, w in enumerate(state["weight"]):
            score = sum(w[d] * x[i, d] for d in range(len(w)))
            shares.append(torch.exp(score + state["bias"][j] if bias else score))
        p = shares[label] / sum(shares)
        total = total + ((1 - p**q) / q if q else -torch.log(p))
    return total / len(y)


@pytest.mark.parametrize("settings", [{}, {"q": 0.0}, {"q": 0.3}, {"q": 1.0}, {"bias": False}])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_matches_reference(settings, dim):
    assert_matches_reference("generalized-ce", reference, dim=dim, **settings)


@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_at_zero_it_is_softmax(reduction):
    x, y = circle_points()
    plain, general = (
        build("softmax", reduction=reduction),
        build("generalized-ce", q=0.0, reduction=reduction),
    )
    # the mean of torch's cross-entropy adds in an order of its own
    torch.testing.assert_close(
        general(x.float(), y), plain(x.float(), y), rtol=1e-6 * (reduction == "mean"), atol=0
    )


def test_small_q_comes_close_to_cross_entropy():
    x, y = circle_points()
    loss = build("generalized-ce", q=1e-7).double()
    torch.testing.assert_close(loss(x, y), F.cross_entropy(loss.logits(x), y), rtol=0, atol=1e-5)


def test_at_one_it_is_half_the_absolute_error():
    """The absolute error to the one-hot target is 1 - p for the own class and p_j for each other: 2 (1 - p)."""
    x, y = circle_points()
    loss = build("generalized-ce", q=1.0).double()
    error = (torch.softmax(loss.logits(x), 1) - F.one_hot(y, 10)).abs().sum(1)
    torch.testing.assert_close(loss(x, y), error.mean() / 2, rtol=0, atol=1e-12)


def test_a_wrong_label_cannot_cost_more_than_one_over_q():
    loss = build("generalized-ce", classes=2, dim=1, q=0.5, bias=False)
    loss.weight.data = torch.tensor([[1.0], [-1.0]])
    assert loss(torch.tensor([[1000.0]]), torch.tensor([1])).item() == pytest.approx(2.0)
