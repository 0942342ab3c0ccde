"""ArcFace against its equation, against pytorch-metric-learning, and at the places where others break."""

from __future__ import annotations

import math

import pytest
import torch

from lossbench.losses import ArcFace

from .oracle import assert_equals_library, assert_matches_reference, build


def reference(x, y, state, *, scale, margin, easy_margin, monotone, soft_start):
    """Angles by acos, the margin added to the angle, cross-entropy written out; progress is 1."""
    total = 0
    for i, label in enumerate(y):
        scores = []
        for j, w in enumerate(state["weight"]):
            dot = sum(w[d] * x[i, d] for d in range(len(w)))
            theta = torch.acos(dot / (x[i].square().sum().sqrt() * w.square().sum().sqrt()))
            if j != label:
                scores.append(scale * torch.cos(theta))
            elif easy_margin:
                scores.append(scale * torch.cos(theta + margin if theta < math.pi / 2 else theta))
            elif monotone and theta + margin > math.pi:
                scores.append(scale * (torch.cos(theta) - margin * math.sin(margin)))
            else:
                scores.append(scale * torch.cos(theta + margin))
        total = total - scores[label] + torch.log(sum(torch.exp(score) for score in scores))
    return total / len(y)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"scale": 10.0, "margin": 0.5},
        {"scale": 10.0, "margin": 0.5, "easy_margin": True},
        {"scale": 10.0, "margin": 0.5, "monotone": False},
        {"scale": 7.0, "margin": 0.0},
        {"scale": 10.0, "margin": -0.3},
        {"scale": 10.0, "margin": -0.3, "easy_margin": True},
    ],
)
@pytest.mark.parametrize("dim", [2, 5])
def test_matches_reference(settings, dim):
    assert_matches_reference("arcface", reference, dim=dim, **settings)


@pytest.mark.parametrize("margin", [0.0, 0.2, 0.5, -0.3])
def test_matches_pytorch_metric_learning(margin):
    """Same value and gradients as ArcFaceLoss, whose margin is in degrees and whose weights are (D, C)."""
    from pytorch_metric_learning.losses import ArcFaceLoss

    ours = build("arcface", scale=16.0, margin=margin).double()
    theirs = ArcFaceLoss(10, 2, margin=math.degrees(margin), scale=16.0).double()
    assert_equals_library(ours, theirs)


def target_curve(**settings):
    """The target score divided by s for angles 0 ... pi, taken from the loss itself: two classes, opposite."""
    loss = ArcFace(2, 2, scale=1.0, **settings).double()
    loss.weight.data = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    angles = torch.linspace(0, math.pi, 2001, dtype=torch.float64)
    points = torch.stack([angles.cos(), angles.sin()], 1)
    losses = torch.stack([loss(p[None], torch.tensor([0])) for p in points]).detach()
    return angles, -torch.log(torch.expm1(losses)) - angles.cos()  # f_y - f_j = -log(e^L - 1), f_j = -cos


def test_curve_falls_with_the_angle_and_jumps_once():
    angles, curve = target_curve(margin=0.5)
    inside = angles < math.pi - 0.5
    torch.testing.assert_close(curve[inside], torch.cos(angles[inside] + 0.5), rtol=0, atol=1e-7)
    assert (curve.diff() < 1e-9).all()
    jump = curve[~inside][0] - curve[inside][-1]
    assert jump == pytest.approx(-math.cos(0.5) - 0.5 * math.sin(0.5) + 1, abs=5e-3)


def test_negative_margin_is_best_at_its_own_angle_and_jumps_nowhere():
    angles, curve = target_curve(margin=-0.5)
    torch.testing.assert_close(curve, torch.cos(angles - 0.5), rtol=0, atol=1e-7)
    assert angles[curve.argmax()].item() == pytest.approx(0.5, abs=2e-3)


def test_plain_curve_turns_up_past_pi():
    angles, curve = target_curve(margin=0.5, monotone=False)
    assert (curve.diff()[angles[1:] > math.pi - 0.49] > 0).all()


def test_easy_margin_jumps_up_at_ninety_degrees():
    angles, curve = target_curve(margin=0.5, easy_margin=True)
    before = curve[angles < math.pi / 2 - 1e-6][-1]
    after = curve[angles > math.pi / 2 + 1e-6][0]
    assert (after - before).item() == pytest.approx(math.sin(0.5), abs=5e-3)


def test_gradient_has_the_true_factor():
    """d cos(theta + m) / d cos(theta) = sin(theta + m) / sin(theta): not 1, as a detached margin gives."""
    loss = ArcFace(2, 2, scale=1.0, margin=0.5).double()
    loss.weight.data = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    theta = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    value = loss(torch.stack([theta.cos(), theta.sin()])[None], torch.tensor([0]))
    (slope,) = torch.autograd.grad(value, theta)
    target, other = math.cos(1.5), -math.cos(1.0)
    wrong = 1 / (1 + math.exp(target - other))
    assert slope.item() == pytest.approx(wrong * (math.sin(1.5) + math.sin(1.0)), abs=1e-12)
