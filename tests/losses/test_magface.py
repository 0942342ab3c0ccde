"""MagFace against its equations and ArcFace, and what its length does."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lossbench.errors import UsageError

from .oracle import assert_matches_reference, build, circle_points

SHORT = {"lower_length": 1.0, "upper_length": 2.0}  # some of the test points are shorter, some longer


def reference(
    x,
    y,
    state,
    *,
    scale,
    lower_margin,
    upper_margin,
    lower_length,
    upper_length,
    lambda_g,
    soft_start,
):
    """Length, margin, angle and pull sample by sample, all with gradient; progress is 1."""
    total = 0
    for i, label in enumerate(y):
        a = torch.clip(x[i].square().sum().sqrt(), lower_length, upper_length)
        share = (a - lower_length) / (upper_length - lower_length)
        margin = (1 - share) * lower_margin + share * upper_margin
        scores = []
        for j, w in enumerate(state["weight"]):
            dot = sum(w[d] * x[i, d] for d in range(len(w)))
            theta = torch.acos(dot / (x[i].square().sum().sqrt() * w.square().sum().sqrt()))
            if j != label:
                scores.append(scale * torch.cos(theta))
            elif theta + margin > math.pi:
                scores.append(scale * (torch.cos(theta) - margin * torch.sin(margin)))
            else:
                scores.append(scale * torch.cos(theta + margin))
        total = total - scores[label] + torch.log(sum(torch.exp(score) for score in scores))
        total = total + lambda_g * (1 / a + a / upper_length**2)
    return total / len(y)


OPTIONS = [
    {},
    SHORT,
    {**SHORT, "scale": 10.0, "lower_margin": 0.45, "upper_margin": 0.8, "lambda_g": 35.0},
    {**SHORT, "scale": 10.0, "lower_margin": 0.0, "upper_margin": 1.5, "lambda_g": 0.0},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("dim", [2, 5])
def test_matches_reference(options, dim):
    assert_matches_reference("magface", reference, dim=dim, **options)


@pytest.mark.parametrize(("length", "margin"), [(0.5, 0.1), (10, 0.1), (60, 0.3), (110, 0.5), (300, 0.5)])
def test_is_arcface_with_the_margin_of_this_length(length, margin):
    """Plus lambda_g (1/a + a/110^2) with a = length clipped to 10 ... 110."""
    x, y = circle_points()
    x = length * x / x.norm(dim=1, keepdim=True)
    ours = build("magface", scale=16.0, lower_margin=0.1, upper_margin=0.5, lambda_g=3.0).double()
    arcface = build("arcface", scale=16.0, margin=margin).double()
    a = min(max(length, 10), 110)
    expected = arcface(x, y) + 3 * (1 / a + a / 110**2)
    torch.testing.assert_close(ours(x, y), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("margin", [0.0, 0.3])
def test_equal_margins_without_pull_are_arcface(margin):
    x, y = circle_points()
    x = 20 * x.float()
    ours = build("magface", scale=16.0, lower_margin=margin, upper_margin=margin, lambda_g=0.0)
    parent = build("arcface", scale=16.0, margin=margin)
    torch.testing.assert_close(ours(x, y), parent(x, y), rtol=0, atol=1e-5)  # a margin per sample is a tensor


@given(st.floats(10.01, 109.9))
@settings(max_examples=25, deadline=None)
def test_pull_lengthens_features_up_to_the_upper_length(length):
    """Without margins only g acts: d g / d a = 1/u^2 - 1/a^2, below zero until u."""
    loss = build("magface", lower_margin=0.0, upper_margin=0.0, lambda_g=2.0).double()
    x = length * torch.tensor([[0.6, 0.8]], dtype=torch.float64)
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(x, torch.tensor([0])), x)
    along = (gradient * x).sum().item() / length
    assert along == pytest.approx(2 * (1 / 110**2 - 1 / length**2), abs=1e-12)
    assert along < 0


def test_margin_shortens_doubtful_features_more_than_sure_ones():
    """The length's gradient through the margin is positive, and larger for a sample far from its class."""
    loss = build("magface", classes=2, lambda_g=0.0, lower_margin=0.2, upper_margin=0.5).double()
    loss.weight.data = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    slopes = []
    for theta in (0.3, 1.4):
        x = 30 * torch.tensor([[math.cos(theta), math.sin(theta)]], dtype=torch.float64)
        x.requires_grad_()
        (gradient,) = torch.autograd.grad(loss(x, torch.tensor([0])), x)
        slopes.append((gradient * x).sum().item())
    assert 0 < slopes[0] < slopes[1]


def test_default_pull_outweighs_the_margin():
    """The paper's bound: lambda_g >= s K u^2 l^2 / (u^2 - l^2), K = (u_m - l_m) / (u - l)."""
    for dim in (2, 3, 64):
        loss = build("magface", dim=dim)
        low, high = loss.lower_length, loss.upper_length
        slope = (loss.upper_margin - loss.lower_margin) / (high - low)
        assert loss.lambda_g > loss.scale * slope * high**2 * low**2 / (high**2 - low**2)
    assert build("magface", dim=64).lambda_g == pytest.approx(35, abs=0.1)


@pytest.mark.parametrize(
    "wrong", [{"lower_margin": 0.5, "upper_margin": 0.4}, {"lower_length": 5.0, "upper_length": 5.0}]
)
def test_limits_in_the_wrong_order_are_refused(wrong):
    with pytest.raises(UsageError, match="upper_length must be above lower_length, upper_margin not below"):
        build("magface", **wrong)
