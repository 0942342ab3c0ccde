"""SphereFace and SphereFace-R against their equations, pytorch-metric-learning, and their schedules."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lossbench.losses import SphereFace
from lossbench.losses._annealing import annealed_lambda

from .oracle import advance, assert_equals_library, assert_matches_reference, build, circle_points


def cosine_and_angle(x, w):
    """A one-dimensional angle is 0 or pi and has no gradient."""
    cosine = sum(a * b for a, b in zip(x, w, strict=True)) / (
        x.square().sum().sqrt() * w.square().sum().sqrt()
    )
    return cosine, torch.acos(cosine) if len(w) > 1 else torch.acos(cosine.detach().sign())


def reference(x, y, state, *, form, margin, annealing, base, lambda_min, margin_r, scale, soft_start):
    """Angles by acos, psi by its intervals, cross-entropy written out; v1 and v2 at progress 1."""
    time = state["step"] if annealing == "steps" else 20000 * state["progress"]
    lam = max(lambda_min, float(base / (1 + 0.12 * time)))
    total = 0
    for i, label in enumerate(y):
        scores = []
        for j, w in enumerate(state["weight"]):
            cosine, theta = cosine_and_angle(x[i], w)
            factor = scale
            changed = cosine
            if form == "a-softmax":
                factor = x[i].square().sum().sqrt()
                if j == label and margin > 1:
                    k = next(
                        k for k in range(math.ceil(margin)) if theta <= (k + 1) * math.pi / margin + 1e-12
                    )
                    changed = (lam * cosine + (-1) ** k * torch.cos(margin * theta) - 2 * k) / (1 + lam)
            elif form == "v1" and j == label:
                changed = torch.cos(margin_r * theta) if margin_r * theta < math.pi else theta * 0 - 1
            elif form == "v2" and j != label:
                changed = torch.cos(theta / margin_r)
            if form != "a-softmax":
                changed = cosine + (changed - cosine).detach()
            scores.append(factor * changed)
        total = total - scores[label] + torch.log(sum(torch.exp(score) for score in scores))
    return total / len(y), {"step": state["step"] + (form == "a-softmax")}


def later(loss):
    loss.step.fill_(7000.0)
    advance(loss, 0.3)


@pytest.mark.parametrize("margin", [1.0, 2.5, 3.0, 4.0])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_matches_reference(margin, dim):
    assert_matches_reference("sphereface", reference, dim=dim, margin=margin)


@pytest.mark.parametrize("annealing", ["progress", "steps"])
@pytest.mark.parametrize(
    "schedule", [{}, {"base": 0.0, "lambda_min": 0.0}, {"base": 50.0, "lambda_min": 3.0}]
)
def test_annealing_matches_reference(annealing, schedule):
    assert_matches_reference("sphereface", reference, prepare=later, annealing=annealing, **schedule)


@pytest.mark.parametrize("form", ["v1", "v2"])
@pytest.mark.parametrize("margin", [1.0, 1.5, 4.0])
@pytest.mark.parametrize("dim", [2, 5])
def test_revived_forms_match_reference(form, margin, dim):
    """A scale of 4: float32 angles near 180 degrees have few digits; their value counts, no gradient."""
    assert_matches_reference("sphereface", reference, dim=dim, form=form, margin_r=margin, scale=4.0)


@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")  # theirs, under a new NumPy
@pytest.mark.parametrize("margin", [1, 2, 3, 4])
def test_matches_pytorch_metric_learning(margin):
    """Same value and gradients as SphereFaceLoss without annealing; its weights are (D, C)."""
    from pytorch_metric_learning.losses import SphereFaceLoss

    ours = build("sphereface", margin=margin, base=0.0, lambda_min=0.0).double()
    theirs = SphereFaceLoss(10, 2, margin=margin, scale=1).double()
    assert_equals_library(ours, theirs)


def test_factor_one_is_the_modified_softmax_or_normface():
    x, y = circle_points()
    for form, factor in (("a-softmax", x.norm(dim=1, keepdim=True)), ("v1", 24.0), ("v2", 24.0)):
        loss = build("sphereface", form=form, margin=1, margin_r=1).double()
        unit = loss.weight / loss.weight.norm(dim=1, keepdim=True)
        scores = factor * (x / x.norm(dim=1, keepdim=True)) @ unit.T
        torch.testing.assert_close(
            loss(x, y),
            torch.nn.functional.cross_entropy(scores, y),
            rtol=0,
            atol=1e-10,
        )


def target_curve(angles, **settings):
    """f_y - f_j at the angles, taken from the loss itself: two opposite unit classes, |x| = s = 1."""
    loss = SphereFace(2, 2, scale=1.0, **settings).double()
    loss.weight.data = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    points = torch.stack([angles.cos(), angles.sin()], 1)
    losses = torch.stack([loss(p[None], torch.tensor([0])) for p in points]).detach()
    return -torch.log(torch.expm1(losses))


@pytest.mark.parametrize("margin", [1.0, 2.5, 4.0])
def test_curve_of_a_softmax_falls_without_jumps(margin):
    angles = torch.linspace(0, math.pi, 401, dtype=torch.float64)
    curve = target_curve(angles, margin=margin, base=0.0, lambda_min=0.0) - angles.cos()
    assert curve[0].item() == pytest.approx(1)
    assert (curve.diff() < 1e-12).all()
    assert curve.diff().abs().max() < 1.01 * margin * math.pi / 400  # |psi'| <= m: no jump


def test_curves_of_the_revived_forms():
    angles = torch.linspace(0, math.pi, 301, dtype=torch.float64)
    first = target_curve(angles, form="v1", margin_r=2.0) - angles.cos()
    torch.testing.assert_close(first, torch.cos((2 * angles).clamp(max=math.pi)), rtol=0, atol=1e-7)
    second = angles.cos() - target_curve(angles, form="v2", margin_r=2.0)
    torch.testing.assert_close(second, torch.cos((math.pi - angles) / 2), rtol=0, atol=1e-7)


def test_steps_count_in_training_only_and_move_lambda():
    """lambda = 1000, 112.4 and 8.3 at 0, 66 and 1000 iterations; 5 from 1658 on with the released floor."""
    loss = build("sphereface", annealing="steps", lambda_min=5.0)
    x, y = circle_points()
    loss(x.float(), y)
    loss(x.float(), y)
    loss.eval()(x.float(), y)
    assert loss.step.item() == 2
    for step, expected in ((0, 1000), (66, 112.1), (1000, 8.264), (1659, 5.0)):
        loss.step.fill_(step)
        assert annealed_lambda(loss, gamma=0.12, power=1).item() == pytest.approx(expected, rel=5e-4)


def test_starts_as_the_modified_softmax():
    x, y = circle_points()
    plain = build("sphereface", margin=1)
    for form in ("a-softmax", "v1", "v2"):
        loss = build("sphereface", form=form)
        late = loss(x.float(), y)
        advance(loss, 0.0)
        torch.testing.assert_close(loss(x.float(), y), plain(x.float(), y), rtol=1e-2, atol=0)
        assert not torch.isclose(late, plain(x.float(), y), rtol=1e-2)


@settings(max_examples=25, deadline=None)
@given(
    form=st.sampled_from(["a-softmax", "v1", "v2"]),
    factor=st.floats(1, 6),
    turn=st.floats(0, 6.28),
    seed=st.integers(0, 99),
)
def test_turning_everything_changes_nothing_and_margins_cost(form, factor, turn, seed):
    torch.default_generator.manual_seed(seed)
    loss = SphereFace(4, 2, form=form, margin=factor, margin_r=factor, scale=5.0, lambda_min=0.0).double()
    plain = SphereFace(4, 2, form=form, margin=1, margin_r=1, scale=5.0).double()
    plain.weight.data = loss.weight.data.clone()
    x, y = torch.randn(8, 2, dtype=torch.float64), torch.arange(8) % 4
    value = loss(x, y)
    assert value >= plain(x, y) - 1e-9
    c, s = math.cos(turn), math.sin(turn)
    rotation = torch.tensor([[c, s], [-s, c]], dtype=torch.float64)
    loss.weight.data = loss.weight.data @ rotation
    torch.testing.assert_close(loss(x @ rotation, y), value, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(("dim", "scale"), [(2, 24), (3, 24), (5, 40), (8, 64), (512, 64)])
def test_the_default_scale_grows_with_the_dimension(dim, scale):
    assert build("sphereface", dim=dim, form="v2").scale == scale
