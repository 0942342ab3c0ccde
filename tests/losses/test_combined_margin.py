"""Combined margin against its equation, its special cases in other libraries, and its guard past pi."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from .oracle import assert_matches_reference, build, circle_points


def reference(x, y, state, *, scale, m1, m2, m3, monotone, soft_start):
    """Angles by acos; past pi the half turn from 1 to -1 starts again, 2 lower; progress is 1."""
    total = 0
    for i, label in enumerate(y):
        scores = []
        for j, w in enumerate(state["weight"]):
            dot = sum(w[d] * x[i, d] for d in range(len(w)))
            theta = torch.acos(dot / (x[i].square().sum().sqrt() * w.square().sum().sqrt()))
            if j != label:
                scores.append(scale * torch.cos(theta))
                continue
            rest, drop = m1 * theta + m2, 0
            while monotone and rest > math.pi:
                rest, drop = rest - math.pi, drop + 2
            scores.append(scale * (torch.cos(rest) - drop - m3))
        total = total - scores[label] + torch.log(sum(torch.exp(score) for score in scores))
    return total / len(y)


OPTIONS = [
    {},
    {"scale": 10.0, "m1": 1.0, "m2": 0.3, "m3": 0.2},
    {"scale": 10.0, "m1": 0.9, "m2": 0.4, "m3": 0.15},
    {"scale": 5.0, "m1": 4.0, "m2": 0.5, "m3": 0.0},
    {"scale": 10.0, "m1": 1.35, "m2": 0.5, "m3": 0.1, "monotone": False},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("dim", [2, 5])
def test_matches_reference(options, dim):
    assert_matches_reference("combined-margin", reference, dim=dim, **options)


def assert_same(ours, theirs, x, y):
    """Value and gradients of two losses, theirs with weights (D, C) or (C, D)."""
    ours_x, theirs_x = x.clone().requires_grad_(), x.clone().requires_grad_()
    value, expected = ours(ours_x, y), theirs(theirs_x, y)
    value.backward()
    expected.backward()
    torch.testing.assert_close(value, expected, rtol=0, atol=1e-8)
    torch.testing.assert_close(ours_x.grad, theirs_x.grad, rtol=0, atol=1e-8)
    other = theirs.W.grad.T if hasattr(theirs, "W") else theirs.weight.grad
    torch.testing.assert_close(ours.weight.grad, other, rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("margins", "name", "rest"),
    [
        ((1.0, 0.0, 0.0), "normface", {}),
        ((1.0, 0.0, 0.2), "cosface", {"margin": 0.2}),
        ((1.0, 0.4, 0.0), "arcface", {"margin": 0.4, "monotone": False}),
    ],
)
def test_special_cases_are_their_parents(margins, name, rest):
    m1, m2, m3 = margins
    ours = build("combined-margin", scale=16.0, m1=m1, m2=m2, m3=m3, monotone=False).double()
    assert_same(ours, build(name, scale=16.0, **rest).double(), *circle_points())


# pytorch-metric-learning hands a tensor to a scipy function, which NumPy 2 announces to end
@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")
@pytest.mark.parametrize("m1", [1, 2, 3, 4])
def test_factor_alone_is_sphereface_of_pytorch_metric_learning(m1):
    """SphereFace multiplies by the length of x, so equal where the features have length one."""
    from pytorch_metric_learning.losses import SphereFaceLoss

    ours = build("combined-margin", scale=16.0, m1=m1, m2=0.0, m3=0.0).double()
    theirs = SphereFaceLoss(10, 2, margin=m1, scale=16.0).double()
    theirs.W.data = ours.weight.data.T.clone()
    x, y = circle_points()
    unit = x / x.norm(dim=1, keepdim=True)
    torch.testing.assert_close(ours(unit, y), theirs(unit, y), rtol=0, atol=1e-7)


@pytest.mark.parametrize("name", ["CosFaceLoss", "ArcFaceLoss"])
def test_matches_pytorch_metric_learning(name):
    from pytorch_metric_learning import losses

    arc = name == "ArcFaceLoss"
    ours = build("combined-margin", scale=16.0, m2=0.3 if arc else 0.0, m3=0.0 if arc else 0.3).double()
    theirs = getattr(losses, name)(10, 2, margin=math.degrees(0.3) if arc else 0.3, scale=16.0).double()
    theirs.W.data = ours.weight.data.T.clone()
    x, _ = circle_points()
    y = ours.logits(x).argmax(1)  # angles below pi - m2: past it the guards differ
    assert_same(ours, theirs, x, y)


def target_curve(count=2001, **options):
    """The target score divided by s for angles 0 ... pi, taken from the loss itself: two opposite classes."""
    loss = build("combined-margin", classes=2, scale=1.0, **options).double()
    loss.weight.data = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    angles = torch.linspace(0, math.pi, count, dtype=torch.float64)
    points = torch.stack([angles.cos(), angles.sin()], 1)
    losses = torch.stack([loss(p[None], torch.tensor([0])) for p in points]).detach()
    return angles, -torch.log(torch.expm1(losses)) - angles.cos()  # f_y - f_j = -log(e^L - 1), f_j = -cos


@given(st.floats(0.3, 5), st.floats(0, math.pi), st.floats(0, 1))
@settings(max_examples=10, deadline=None)
def test_guarded_curve_falls_without_a_jump(m1, m2, m3):
    """Never rises, and no step exceeds the steepest slope m1; up to pi it is the plain curve."""
    angles, curve = target_curve(201, m1=m1, m2=m2, m3=m3)
    assert (curve.diff() < 1e-7).all()
    assert (curve.diff().abs() <= m1 * angles[1] * 1.001 + 1e-7).all()
    inside = m1 * angles + m2 < math.pi
    torch.testing.assert_close(curve[inside], torch.cos(m1 * angles + m2)[inside] - m3, rtol=0, atol=1e-7)


def test_plain_curve_turns_up_past_pi():
    angles, curve = target_curve(501, m1=1.0, m2=0.5, m3=0.0, monotone=False)
    assert (curve.diff()[angles[1:] > math.pi - 0.49] > 0).all()


def test_all_three_margins_act_together():
    """Public code ignores m1 and m2 where m3 > 0: here each one alone raises the loss."""
    x, y = circle_points()
    full = {"m1": 1.2, "m2": 0.2, "m3": 0.1}
    value = build("combined-margin", scale=16.0, **full).double()(x, y)
    for name, neutral in {"m1": 1.0, "m2": 0.0, "m3": 0.0}.items():
        assert build("combined-margin", scale=16.0, **{**full, name: neutral}).double()(x, y) < value - 1e-3
