"""AdaCos against its equations, and its scale against the rule."""

from __future__ import annotations

import math

import pytest
import torch

from lossbench.specs.directions import spread_directions
from lossbench.specs.feasibility import best_probability

from .oracle import advance, assert_matches_reference, build, circle_points


def reference(x, y, state, *, dynamic, soft_start):
    """The scale of this batch from plain exponentials and sorted angles, without gradient; progress is 1."""
    cosines = []
    for i in range(len(y)):
        length = x[i].square().sum().sqrt()
        dots = [
            sum(w[d] * x[i, d] for d in range(len(w))) / (w.square().sum().sqrt()) for w in state["weight"]
        ]
        cosines.append([dot / length for dot in dots])
    scale = state["scale"].item()
    if dynamic:
        average = sum(
            math.exp(scale * c.item())
            for i, row in enumerate(cosines)
            for j, c in enumerate(row)
            if j != y[i]
        ) / len(y)
        angles = sorted(math.acos(cosines[i][label].item()) for i, label in enumerate(y))
        median = angles[len(angles) // 2]
        scale = math.log(average) / math.cos(min(math.pi / 4, median))
        scale = min(max(scale, 1.0), 64.0)
    total = 0
    for i, label in enumerate(y):
        scores = [scale * c for c in cosines[i]]
        total = total - scores[label] + torch.log(sum(torch.exp(score) for score in scores))
    return total / len(y), {"scale": torch.tensor(scale, dtype=torch.float64)}


@pytest.mark.parametrize("dynamic", [True, False])
@pytest.mark.parametrize(("classes", "dim"), [(10, 2), (10, 5), (2, 2), (3, 3)])
def test_matches_reference(dynamic, classes, dim):
    assert_matches_reference("adacos", reference, classes=classes, dim=dim, dynamic=dynamic)


@pytest.mark.parametrize("turn", [0.0, 0.3, 1.5])
def test_matches_reference_from_any_scale_and_median(turn):
    """Features turned away from their class directions: the median passes 45 degrees."""
    directions = torch.tensor(spread_directions(10, 2))
    y = torch.arange(41) % 10
    angles = torch.atan2(directions[y, 1], directions[y, 0]) + turn + 0.2 * torch.sin(torch.arange(41.0))
    x = 3 * torch.stack([angles.cos(), angles.sin()], 1)

    def prepare(loss):
        loss.weight.data = directions.to(loss.weight.dtype)
        loss.scale.fill_(12.0)

    assert_matches_reference("adacos", reference, batch=(x, y), prepare=prepare)


def test_first_scale_is_the_fixed_one_of_the_paper():
    assert build("adacos").scale.item() == pytest.approx(math.sqrt(2) * math.log(9), rel=1e-6)
    assert build("adacos", classes=2).scale.item() == 1


def test_fixed_scale_is_normface_and_never_moves():
    ours = build("adacos", dynamic=False)
    scale = ours.scale.item()
    x, y = circle_points()
    x = x.float()
    torch.testing.assert_close(ours(x, y), build("normface", scale=scale)(x, y))
    assert ours.scale.item() == scale


def test_evaluation_uses_the_last_scale():
    loss = build("adacos").double()
    x, y = circle_points()
    loss(x, y)
    moved = loss.scale.item()
    loss.eval()
    torch.testing.assert_close(loss(x, y), build("normface", scale=moved).double()(x, y), rtol=0, atol=1e-12)
    assert loss.scale.item() == moved


def test_settles_where_a_perfect_sample_has_probability_one_half():
    """The fixed point of the rule at angle 0: s = ln sum_j exp(s cos), in the plane about 4.3."""
    loss = build("adacos").double()
    loss.weight.data = torch.tensor(spread_directions(10, 2))
    for _ in range(200):
        loss(loss.weight.detach(), torch.arange(10))
    assert best_probability(10, 2, loss.scale.item()) == pytest.approx(0.5, abs=1e-6)
    assert loss.scale.item() == pytest.approx(4.3, abs=0.05)


def test_no_gradient_passes_through_the_scale():
    loss = build("adacos").double()
    x, y = circle_points()
    ours_x, fixed_x = x.clone().requires_grad_(), x.clone().requires_grad_()
    loss(ours_x, y).backward()
    build("normface", scale=loss.scale.item()).double()(fixed_x, y).backward()
    torch.testing.assert_close(ours_x.grad, fixed_x.grad, rtol=0, atol=1e-12)


def test_scale_stays_in_its_bounds_where_the_rule_runs_away():
    x = torch.tensor([[1.0, 0.0]]).expand(8, 2)
    far = build("adacos", classes=2)
    far.weight.data = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    near = build("adacos")
    near.weight.data = torch.tensor(spread_directions(10, 2)).float()
    for _ in range(50):
        far(x, torch.zeros(8, dtype=torch.long))  # the other class is opposite: the rule gives -s
        near(x, torch.full((8,), 5))  # on a foreign direction, 180 degrees from the own: sqrt(2) s
    assert far.scale.item() == 1
    assert near.scale.item() == 64


def test_soft_start_is_modified_softmax_first_and_the_scale_rests():
    loss = build("adacos")
    x, y = circle_points()
    x = x.float()
    before = loss.scale.clone()
    advance(loss, 0.1)
    torch.testing.assert_close(loss(x, y), build("modified-softmax")(x, y))
    assert torch.equal(loss.scale, before)
    advance(loss, 0.6)
    assert torch.equal(loss(x, y), build("adacos")(x, y))
    assert not torch.equal(loss.scale, before)
