"""L2-softmax against its equation, softmax, and NormFace."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from .oracle import advance, assert_matches_reference, build, circle_points


def reference(x, y, state, *, scale, learnable, bias, soft_start):
    """Softmax of each sample put at distance s from the origin; progress is 1."""
    s = torch.exp(state["log_scale"]) if learnable else scale
    total = 0
    for i, label in enumerate(y):
        length = torch.sqrt(sum(component**2 for component in x[i]))
        scores = []
        for j, w in enumerate(state["weight"]):
            score = sum(w[d] * s * x[i, d] / length for d in range(len(w)))
            scores.append(score + state["bias"][j] if bias else score)
        total = total - scores[label] + torch.log(sum(torch.exp(score) for score in scores))
    return total / len(y)


def spread_bias(loss):
    if loss.bias is not None:
        loss.bias.data = torch.linspace(-1, 1, len(loss.bias), dtype=loss.bias.dtype)


@pytest.mark.parametrize(
    "options", [{}, {"scale": 4.28}, {"bias": True}, {"learnable": True, "bias": True, "scale": 30.0}]
)
@pytest.mark.parametrize("dim", [2, 5])
def test_matches_reference(options, dim):
    assert_matches_reference("l2-softmax", reference, dim=dim, prepare=spread_bias, **options)


def test_matches_pytorch_metric_learning_on_unit_weights():
    from pytorch_metric_learning.losses import NormalizedSoftmaxLoss

    ours = build("l2-softmax", scale=12.0).double()
    ours.weight.data /= ours.weight.data.norm(dim=1, keepdim=True)
    theirs = NormalizedSoftmaxLoss(10, 2, temperature=1 / 12).double()
    theirs.W.data = ours.weight.data.T.clone()
    x, y = circle_points()
    ours_x, theirs_x = x.clone().requires_grad_(), x.clone().requires_grad_()
    value, expected = ours(ours_x, y), theirs(theirs_x, y)
    value.backward()
    expected.backward()
    torch.testing.assert_close(value, expected, rtol=0, atol=1e-8)
    torch.testing.assert_close(ours_x.grad, theirs_x.grad, rtol=0, atol=1e-8)


def test_is_softmax_of_features_that_already_have_this_length():
    x, y = circle_points()
    x = 7 * x / x.norm(dim=1, keepdim=True)
    ours, softmax = build("l2-softmax", scale=7.0).double(), build("softmax").double()
    torch.testing.assert_close(ours(x, y), softmax(x, y), rtol=0, atol=1e-12)


def test_longer_weights_score_higher():
    """The weights are free, unlike NormFace's: doubling them doubles the scores."""
    loss = build("l2-softmax")
    x = circle_points()[0].float()
    scores = loss.logits(x)
    loss.weight.data *= 2
    torch.testing.assert_close(loss.logits(x), 2 * scores)


@given(st.floats(0.01, 1e3), st.booleans())
@settings(max_examples=25, deadline=None)
def test_length_of_the_features_does_not_count(factor, bias):
    loss = build("l2-softmax", bias=bias).double()
    x, y = circle_points()
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(leaf, y), leaf)
    torch.testing.assert_close(loss(factor * x, y), loss(x, y), rtol=0, atol=1e-10)
    torch.testing.assert_close((gradient * x).sum(1), torch.zeros_like(x[:, 0]), rtol=0, atol=1e-12)


def test_hand_value():
    """Opposite unit weights and a feature put at 3 on the first: scores 3 and -3."""
    loss = build("l2-softmax", classes=2, scale=3.0).double()
    loss.weight.data = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    value = loss(torch.tensor([[0.2, 0.0]], dtype=torch.float64), torch.tensor([0]))
    assert value.item() == pytest.approx(math.log1p(math.exp(-6)), abs=1e-12)


def test_learned_length_follows_its_gradient():
    loss = build("l2-softmax", learnable=True)
    x, y = circle_points()
    wrong = (loss.logits(x.float()).argmin(1) + 0 * y).detach()
    loss(x.float(), wrong).backward()
    assert loss.log_scale.grad > 0  # all wrong: a shorter length loses less
    assert loss.current_scale().item() == pytest.approx(16, rel=1e-6)


@pytest.mark.parametrize("bias", [False, True])
def test_soft_start_is_softmax_first(bias):
    loss = build("l2-softmax", bias=bias)
    x, y = circle_points()
    x = x.float()
    final = loss(x, y)
    advance(loss, 0.1)
    torch.testing.assert_close(loss(x, y), build("softmax", bias=bias)(x, y))
    advance(loss, 0.3)
    assert torch.equal(loss(x, y), final)
