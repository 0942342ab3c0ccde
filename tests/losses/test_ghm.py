"""GHM-C against its equations, the released code, and its moving average."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from .oracle import assert_matches_reference, build, circle_points


def reference(x, y, state, *, form, bins, momentum):
    """Counts in bins, their moving average, and a constant weight N / (S M) per element."""
    losses, lengths = [], []
    for i, label in enumerate(y):
        scores = [sum(w[d] * x[i, d] for d in range(len(w))) for w in state["weight"]]
        if form == "softmax":
            p = torch.exp(scores[label]) / sum(torch.exp(score) for score in scores)
            losses.append(-torch.log(p))
            lengths.append(1 - p.item())
            continue
        for j, score in enumerate(scores):
            sigma = 1 / (1 + torch.exp(-(score + state["bias"][j])))
            losses.append(-torch.log(sigma if j == label else 1 - sigma))
            lengths.append(abs(sigma.item() - (j == label)))
    where = [min(int(length * bins), bins - 1) for length in lengths]
    moved = momentum * state["density"]
    for b in where:
        moved[b] += (1 - momentum) / len(where)
    mass = momentum * state["mass"] + 1 - momentum
    total = sum(
        loss * len(where) / (moved[b] / mass * len(where) * bins)
        for loss, b in zip(losses, where, strict=True)
    )
    return total / len(where), {"density": moved, "mass": mass}


def some_steps(loss):
    """An average that is neither empty nor the batch's own."""
    x, y = circle_points(dim=loss.weight.shape[1])
    for factor in (0.1, 3.0):
        loss((factor * x).to(loss.weight.dtype), y)


@pytest.mark.parametrize("form", ["softmax", "sigmoid"])
@pytest.mark.parametrize(("bins", "momentum"), [(10, 0.75), (30, 0.0), (1, 0.5)])
@pytest.mark.parametrize("dim", [1, 2, 5])
@pytest.mark.parametrize("prepare", [None, some_steps])
def test_matches_reference(form, bins, momentum, dim, prepare):
    assert_matches_reference(
        "ghm", reference, dim=dim, prepare=prepare, form=form, bins=bins, momentum=momentum
    )


def test_one_bin_is_softmax():
    """All samples share one weight of 1; to 1e-6, because the mean is added up in another order."""
    x, y = circle_points()
    value = build("ghm", bins=1)(x.float(), y)
    torch.testing.assert_close(value, build("softmax")(x.float(), y), rtol=0, atol=1e-6)


def test_sigmoid_form_is_the_released_code_up_to_the_number_of_bins():
    """Without momentum: the release divides by the bins in use, the paper (and we) by all of them."""
    loss = build("ghm", form="sigmoid", bins=30, momentum=0.0).double()
    x, y = circle_points()
    scores, targets = loss.logits(x), F.one_hot(y, 10).double()
    g = (scores.sigmoid().detach() - targets).abs()
    weights, used = torch.zeros_like(scores), 0
    for b in range(30):
        inside = (g >= b / 30) & (g < (b + 1) / 30)
        if inside.any():
            weights[inside] = scores.numel() / inside.sum().item()
            used += 1
    released = F.binary_cross_entropy_with_logits(scores, targets, weights / used, reduction="mean")
    torch.testing.assert_close(loss(x, y) * 30 / used, released, rtol=0, atol=1e-12)


def test_every_bin_in_use_has_the_same_total_weight():
    """The harmony of the name: rare gradient lengths weigh as much in sum as frequent ones."""
    loss = build("ghm", momentum=0.0, bins=4)
    lengths = torch.tensor([0.01, 0.02, 0.03, 0.1, 0.2, 0.4, 0.9, 1.0])
    weights = loss._weights(lengths)
    expected = 8 / 4 / torch.tensor([5, 5, 5, 5, 5, 1, 2, 2])
    torch.testing.assert_close(weights, expected)


def test_first_step_is_not_inflated_by_the_empty_start():
    """With momentum as without: the released code is 1 / (1 - momentum) = 4 times too large there."""
    x, y = circle_points()
    first, without = build("ghm", momentum=0.75), build("ghm", momentum=0.0)
    torch.testing.assert_close(first(x.float(), y), without(x.float(), y))


def test_average_moves_in_training_only_and_adds_up_to_one():
    loss = build("ghm")
    x, y = circle_points()
    for step in range(1, 4):
        loss(x.float(), y)
        assert loss.mass.item() == pytest.approx(1 - 0.75**step)
        assert loss.density.sum().item() == pytest.approx(loss.mass.item())
    before = loss.density.clone()
    loss.eval()(x.float(), y)
    assert torch.equal(loss.density, before)


def test_weights_carry_no_gradient():
    """The gradient is beta times that of the cross-entropy: g is a constant."""
    loss = build("ghm", momentum=0.0, bins=2).double()
    loss.weight.data = torch.eye(10, 2, dtype=torch.float64)
    x = torch.tensor([[3.0, 0.0]], dtype=torch.float64, requires_grad=True)
    loss(x, torch.tensor([0])).backward()
    p = math.exp(3) / (math.exp(3) + 9)
    assert x.grad[0, 0].item() == pytest.approx(-(1 - p) / 2)  # alone in one of two bins: beta = 1/2


@pytest.mark.parametrize("form", ["softmax", "sigmoid"])
def test_steps_on_free_points_reduce_the_plain_loss(form):
    """The value itself may rise, with the number of bins in use; what it weighs must fall all the same."""
    loss = build("ghm", form=form)
    x, y = circle_points()
    points = torch.nn.Parameter(x.float())
    optimizer = torch.optim.Adam([points, *loss.parameters()], lr=0.02)
    before = F.cross_entropy(loss.logits(points), y).item()
    for _ in range(60):
        optimizer.zero_grad()
        loss(points, y).backward()
        optimizer.step()
    assert F.cross_entropy(loss.logits(points), y).item() < 0.9 * before
