"""Poly-1 against its equation, and softmax where its term has no weight."""

from __future__ import annotations

import math

import pytest
import torch

from .oracle import assert_matches_reference, build, circle_points


def reference(x, y, state, *, epsilon, bias):
    """-log p + epsilon (1 - p), with p the softmax share of the own class, sample by sample."""
    total = 0
    for i, label in enumerate(y):
        shares = []
        for j, w in enumerate(state["weight"]):
            score = sum(w[d] * x[i, d] for d in range(len(w)))
            shares.append(torch.exp(score + state["bias"][j] if bias else score))
        p = shares[label] / sum(shares)
        total = total - torch.log(p) + epsilon * (1 - p)
    return total / len(y)


@pytest.mark.parametrize("settings", [{}, {"epsilon": -1.0}, {"epsilon": 3.0}, {"bias": True}])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_matches_reference(settings, dim):
    assert_matches_reference("poly-1", reference, dim=dim, **settings)


@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_without_epsilon_it_is_softmax(reduction):
    x, y = circle_points()
    plain, poly = build("softmax", reduction=reduction), build("poly-1", epsilon=0.0, reduction=reduction)
    # the mean of torch's cross-entropy adds in an order of its own
    torch.testing.assert_close(
        poly(x.float(), y), plain(x.float(), y), rtol=1e-6 * (reduction == "mean"), atol=0
    )


@pytest.mark.parametrize(
    ("epsilon", "expected"),
    [(0.0, 0.1698), (1.0, 0.3261), (2.0, 0.4823), (-0.5, 0.0917), (5.45, 1.0211)],
)
def test_values_of_the_code_in_the_paper(epsilon, expected):
    """For class 0 and scores 4, 2, 1, as the tests of optax state them."""
    loss = build("poly-1", 3, 3, epsilon=epsilon)
    loss.weight.data = torch.eye(3)
    value = loss(torch.tensor([[4.0, 2.0, 1.0]]), torch.tensor([0]))
    assert value.item() == pytest.approx(expected, abs=1e-4)


def test_expansion_has_one_changed_coefficient():
    """-log p = sum_k (1 - p)^k / k, of which the first coefficient becomes 1 + epsilon."""
    loss = build("poly-1", classes=2, epsilon=0.7).double()
    x, y = circle_points(8, classes=2)
    p = torch.softmax(loss.logits(x), 1)[torch.arange(8), y]
    series = sum((1 - p) ** k / k for k in range(1, 4000))
    torch.testing.assert_close(loss(x, y), (series + 0.7 * (1 - p)).mean(), rtol=1e-9, atol=0)


def test_known_value_of_equal_scores():
    """A feature at the origin has p = 1 / C."""
    value = build("poly-1", epsilon=2.0)(torch.zeros(1, 2), torch.tensor([4]))
    assert value.item() == pytest.approx(math.log(10) + 2 * 0.9, abs=1e-6)
