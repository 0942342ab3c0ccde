"""L-Softmax against its equation, against pytorch-metric-learning, and its annealing."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lossbench.losses import LSoftmax
from lossbench.losses._annealing import annealed_lambda
from lossbench.losses._geometry import multiplied_angle

from .oracle import advance, assert_equals_library, assert_matches_reference, build, circle_points


def reference(x, y, state, *, margin, annealing, base, gamma, power, lambda_min):
    """Angles by acos, psi by its intervals, cross-entropy written out."""
    time = state["step"] if annealing == "steps" else 20000 * state["progress"]
    lam = max(lambda_min, float(base * (1 + gamma * time) ** -power))
    total = 0
    for i, label in enumerate(y):
        scores = []
        for j, w in enumerate(state["weight"]):
            score = sum(w[d] * x[i, d] for d in range(len(w)))
            if j == label and margin > 1:
                length = x[i].square().sum().sqrt() * w.square().sum().sqrt()
                theta = (
                    torch.acos((score / length).clamp(-1, 1))
                    if len(w) > 1
                    else torch.acos(score.detach().sign())
                )
                k = next(k for k in range(margin) if theta <= (k + 1) * math.pi / margin + 1e-12)
                psi = (-1) ** k * torch.cos(margin * theta) - 2 * k
                score = (lam * score + length * psi) / (1 + lam)
            scores.append(score)
        total = total - scores[label] + torch.log(sum(torch.exp(score) for score in scores))
    return total / len(y), {"step": state["step"] + 1}


def later(loss):
    loss.step.fill_(7000.0)
    advance(loss, 0.3)


@pytest.mark.parametrize("margin", [1, 2, 3, 4])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_matches_reference(margin, dim):
    assert_matches_reference("l-softmax", reference, dim=dim, margin=margin)


@pytest.mark.parametrize("annealing", ["progress", "steps"])
@pytest.mark.parametrize(
    "schedule", [{}, {"base": 0.0}, {"base": 0.0, "lambda_min": 5.0}, {"gamma": 1e-4, "power": 2.0}]
)
def test_annealing_matches_reference(annealing, schedule):
    assert_matches_reference("l-softmax", reference, prepare=later, margin=3, annealing=annealing, **schedule)


@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")  # theirs, under a new NumPy
@pytest.mark.parametrize("margin", [1, 2, 3, 4])
def test_matches_pytorch_metric_learning(margin):
    """Same value and gradients as LargeMarginSoftmaxLoss without annealing; its weights are (D, C)."""
    from pytorch_metric_learning.losses import LargeMarginSoftmaxLoss

    ours = build("l-softmax", margin=margin, base=0.0).double()
    theirs = LargeMarginSoftmaxLoss(10, 2, margin=margin, scale=1).double()
    assert_equals_library(ours, theirs)


def test_margin_one_is_softmax_to_the_last_bit():
    x, y = circle_points()
    assert torch.equal(build("l-softmax", margin=1)(x.float(), y), build("softmax")(x.float(), y))


@pytest.mark.parametrize("margin", [1, 2, 3, 4])
def test_curve_falls_without_jumps_from_one_to_one_minus_twice_m(margin):
    """psi at the angles 0 ... pi, taken from the loss itself: two opposite unit classes, |x| = 1."""
    loss = LSoftmax(2, 2, margin=margin, base=0.0).double()
    loss.weight.data = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    angles = torch.linspace(0, math.pi, 401, dtype=torch.float64)
    points = torch.stack([angles.cos(), angles.sin()], 1)
    losses = torch.stack([loss(p[None], torch.tensor([0])) for p in points]).detach()
    curve = -torch.log(torch.expm1(losses)) - angles.cos()  # f_y - f_j = -log(e^L - 1), f_j = -cos
    assert curve[0].item() == pytest.approx(1)
    assert curve[-1].item() == pytest.approx(1 - 2 * margin)
    assert (curve.diff() < 1e-12).all()
    assert curve.diff().abs().max() < 1.01 * margin * math.pi / 400  # |psi'| <= m: no jump


@settings(max_examples=25, deadline=None)
@given(margin=st.floats(1, 6), theta=st.floats(0, math.pi))
def test_psi_lies_below_the_cosine(margin, theta):
    """Also for factors that are not whole."""
    theta = torch.tensor(theta, dtype=torch.float64)
    psi = multiplied_angle(theta.cos(), theta.sin(), margin)
    assert 1 - 2 * math.ceil(margin) - 1e-9 <= psi <= theta.cos() + 1e-9


def test_steps_count_in_training_only_and_move_lambda():
    """lambda = 421, 16.2, 0.41 at iterations 1k, 5k and 10k of the released schedule."""
    loss = build("l-softmax", annealing="steps")
    x, y = circle_points()
    x = x.float()
    loss(x, y)
    loss(x, y)
    loss.eval()(x, y)
    loss.train().logits(x)
    assert loss.step.item() == 2
    loss.eval()
    for step, expected in ((0, 1000), (1000, 421.4), (5000, 16.2), (10000, 0.4056)):
        loss.step.fill_(step)
        assert annealed_lambda(loss, gamma=loss.gamma, power=loss.power).item() == pytest.approx(
            expected, rel=5e-3
        )


def test_starts_as_softmax_and_ends_with_the_full_margin():
    x, y = circle_points()
    x = x.float()
    loss, full, plain = build("l-softmax"), build("l-softmax", base=0.0), build("softmax")
    torch.testing.assert_close(loss(x, y), full(x, y), rtol=2e-3, atol=0)
    loss.progress.zero_()
    torch.testing.assert_close(loss(x, y), plain(x, y), rtol=1e-2, atol=0)
    assert loss(x, y) != full(x, y)
