"""Squentropy against its equation, and softmax where the squares have no weight."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from .oracle import assert_matches_reference, build, circle_points


def reference(x, y, state, *, squares, bias):
    """-log p plus the mean of the squares of the other C - 1 scores, sample by sample."""
    total = 0
    for i, label in enumerate(y):
        scores = [sum(w[d] * x[i, d] for d in range(len(w))) for w in state["weight"]]
        if bias:
            scores = [score + own for score, own in zip(scores, state["bias"], strict=True)]
        others = sum(score**2 for j, score in enumerate(scores) if j != label)
        log_p = scores[label] - torch.log(sum(torch.exp(score) for score in scores))
        total = total - log_p + squares * others / (len(scores) - 1)
    return total / len(y)


@pytest.mark.parametrize("settings", [{}, {"squares": 0.0}, {"squares": 1.0}, {"bias": False}])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_matches_reference(settings, dim):
    assert_matches_reference("squentropy", reference, dim=dim, **settings)


def test_without_squares_it_is_softmax_bit_for_bit():
    x, y = circle_points()
    plain, both = build("softmax"), build("squentropy", squares=0.0, bias=False)
    assert torch.equal(both(x.float(), y), plain(x.float(), y))


def test_own_score_is_not_squared():
    """Two classes with scores (3, 2): log(1 + e^-1) plus 2^2."""
    loss = build("squentropy", classes=2, dim=1, squares=1.0, bias=False)
    loss.weight.data = torch.tensor([[3.0], [2.0]])
    value = loss(torch.ones(1, 1), torch.tensor([0])).item()
    assert value == pytest.approx(math.log1p(math.exp(-1)) + 4)


def test_is_cross_entropy_plus_the_error_of_the_other_scores():
    x, y = circle_points()
    loss = build("squentropy", squares=1.0).double()
    scores = loss.logits(x)
    others = scores[F.one_hot(y, 10) == 0].view(len(y), 9)
    expected = F.cross_entropy(scores, y) + F.mse_loss(others, torch.zeros_like(others))
    torch.testing.assert_close(loss(x, y), expected, rtol=0, atol=1e-12)


def test_squares_are_weak_where_the_scores_have_too_few_dimensions():
    """C linear scores have rank C - 1 at most: 9 dimensions hold those of ten classes."""
    weights = {dim: build("squentropy", dim=dim).squares for dim in (2, 8, 9, 10)}
    assert weights == {2: 0.01, 8: 0.01, 9: 1.0, 10: 1.0}
