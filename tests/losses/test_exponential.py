"""Exponential losses against their equations."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from lossbench.losses import Exponential

from .oracle import assert_matches_reference, build, circle_points


def reference(x, y, state, *, form, limit, bias):
    """Sums of exponentials; where the exponent (of the sum) passes the limit, the tangent there."""
    total = 0
    classes = len(state["weight"])
    for i, label in enumerate(y):
        scores = []
        for j, w in enumerate(state["weight"]):
            score = sum(w[d] * x[i, d] for d in range(len(w)))
            scores.append(score + state["bias"][j] if bias else score)
        if form == "m2":
            cost = sum(torch.exp(score - scores[label]) for j, score in enumerate(scores) if j != label)
            if torch.log(1 + cost) > limit:
                cost = math.exp(limit) - 1 + math.exp(limit) * (torch.log(1 + cost) - limit)
        else:
            mean = sum(scores) / classes
            code = [1.0 if j == label else -1 / (classes - 1) for j in range(classes)]
            exponent = -sum(c * (score - mean) for c, score in zip(code, scores, strict=True)) / classes
            cost = torch.exp(exponent)
            if exponent > limit:
                cost = math.exp(limit) * (1 + exponent - limit)
        total = total + cost
    return total / len(y)


@pytest.mark.parametrize("form", ["m2", "samme"])
@pytest.mark.parametrize(
    ("limit", "bias"), [(5.0, False), (0.5, True), (0.05, False), (0.0, False), (20.0, True)]
)
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_matches_reference(form, limit, bias, dim):
    assert_matches_reference("exponential", reference, dim=dim, form=form, limit=limit, bias=bias)


def test_m2_is_expm1_of_cross_entropy():
    loss = build("exponential", limit=20.0).double()
    x, y = circle_points()
    expected = torch.expm1(F.cross_entropy(loss.logits(x), y, reduction="none")).mean()
    torch.testing.assert_close(loss(x, y), expected, rtol=0, atol=1e-12)


def test_m2_with_limit_zero_is_softmax():
    """To 1e-6: the mean of single values is added up in another order than torch's mean cross-entropy."""
    x, y = circle_points()
    plain, bent = build("softmax")(x.float(), y), build("exponential", limit=0.0)(x.float(), y)
    torch.testing.assert_close(bent, plain, rtol=0, atol=1e-6)


def test_two_classes_are_the_binary_exponential_loss():
    """Scores (z/2, -z/2): AdaBoost's exp(-z), and SAMME's exp(-z / 2)."""
    z = torch.tensor([[-1.3]], dtype=torch.float64)
    for form, expected in (("m2", math.exp(1.3)), ("samme", math.exp(1.3 / 2))):
        loss = Exponential(2, 1, form=form, limit=9.0).double()
        loss.weight.data = torch.tensor([[0.5], [-0.5]], dtype=torch.float64)
        assert loss(z, torch.tensor([0])).item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("form", ["m2", "samme"])
def test_value_and_slope_meet_at_the_limit(form):
    loss = Exponential(2, 1, form=form, limit=3.0).double()
    loss.weight.data = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    at = -math.log(math.exp(3) - 1) / 2 if form == "m2" else -3.0  # the feature whose exponent is 3
    values, slopes = [], []
    for step in (-1e-9, 1e-9):
        x = torch.tensor([[at + step]], dtype=torch.float64, requires_grad=True)
        value = loss(x, torch.tensor([0]))
        value.backward()
        values.append(value.item())
        slopes.append(x.grad.item())
    assert values[0] == pytest.approx(values[1], abs=1e-6)
    assert slopes[0] == pytest.approx(slopes[1], abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(shift=st.floats(-50, 50), form=st.sampled_from(["m2", "samme"]), seed=st.integers(0, 99))
def test_shifting_all_scores_changes_nothing(shift, form, seed):
    """So the papers' constraint that the scores add up to zero needs no centring."""
    torch.default_generator.manual_seed(seed)
    loss = Exponential(4, 2, form=form, bias=True).double()
    x, y = torch.randn(6, 2, dtype=torch.float64), torch.arange(6) % 4
    before = loss(x, y)
    loss.bias.data += shift
    torch.testing.assert_close(loss(x, y), before, rtol=1e-9, atol=1e-9)
