"""Softmax against its equation."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from .oracle import assert_matches_reference, build, circle_points


def reference(x, y, state, *, bias):
    """-f_y + log sum_j exp(f_j), f_j = w_j . x + b_j, written out sample by sample."""
    total = 0
    for i, label in enumerate(y):
        scores = []
        for j, w in enumerate(state["weight"]):
            score = sum(w[d] * x[i, d] for d in range(len(w)))
            scores.append(score + state["bias"][j] if bias else score)
        total = total - scores[label] + torch.log(sum(torch.exp(score) for score in scores))
    return total / len(y)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_matches_reference(bias, dim):
    assert_matches_reference("softmax", reference, dim=dim, bias=bias)


def test_is_cross_entropy_of_its_logits():
    loss = build("softmax", bias=True)
    x, y = circle_points()
    x = x.float()
    assert torch.equal(loss(x, y), F.cross_entropy(x @ loss.weight.T + loss.bias, y))


def test_known_value():
    """All scores equal: the loss is log C."""
    loss = build("softmax")
    torch.testing.assert_close(loss(torch.zeros(4, 2), torch.arange(4)), torch.tensor(10.0).log())
