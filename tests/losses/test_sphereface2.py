"""SphereFace2 against its equation, binary cross-entropy, and the bound of its margin."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from lossbench.specs import catalog

from .oracle import assert_matches_reference, build, circle_points


def reference(x, y, state, *, scale, margin, t, balance, factor, soft_start):
    """Weighted log(1 + exp) of each class's own decision; the slope of g is 1."""
    total = 0
    b = scale * state["offset"]
    for i, label in enumerate(y):
        for j, w in enumerate(state["weight"]):
            dot = sum(w[d] * x[i, d] for d in range(len(w)))
            cosine = dot / (x[i].square().sum().sqrt() * w.square().sum().sqrt())
            value = float(cosine.detach())
            spread = cosine - value + 2 * ((value + 1) / 2) ** t - 1
            if j == label:
                total = total + balance * torch.log1p(torch.exp(-(scale * (spread - margin) + b)))
            else:
                total = total + (1 - balance) * torch.log1p(torch.exp(scale * (spread + margin) + b))
    return factor / scale * total / len(y)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"scale": 10.0, "margin": 0.4},
        {"margin": 0.0, "t": 1.0},
        {"balance": 0.5, "factor": 1.0, "t": 2.5},
    ],
)
@pytest.mark.parametrize("dim", [2, 5])
def test_matches_reference(settings, dim):
    assert_matches_reference("sphereface2", reference, dim=dim, **settings)


def test_without_margin_and_spreading_it_is_binary_cross_entropy():
    x, y = circle_points()
    loss = build("sphereface2", margin=0.0, t=1.0, balance=0.5, scale=8.0, factor=16.0).double()
    scores = loss.logits(x) + loss.scale * loss.offset
    expected = F.binary_cross_entropy_with_logits(scores, F.one_hot(y, 10).double(), reduction="sum") / len(y)
    torch.testing.assert_close(loss(x, y), expected, rtol=0, atol=1e-10)


def test_bound_of_the_margin_in_the_plane():
    """g(1) - m and g(cos 36 degrees) + m meet at m = 0.26."""
    spec = catalog.spec("losses", "sphereface2").settings["margin"]
    g = 2 * ((math.cos(math.pi / 5) + 1) / 2) ** 3 - 1
    assert spec.largest(10, 2) == pytest.approx((1 - g) / 2)
    y = torch.arange(10)
    for margin, small in ((None, True), (0.4, False)):
        loss = build("sphereface2", scale=300.0, margin=margin, fixed=True)
        assert (loss(loss.weight, y).item() < 1e-4) == small


def test_the_slope_of_g_counts_as_one():
    loss = build("sphereface2", classes=1, margin=0.0, balance=0.5, scale=1.0, factor=2.0).double()
    loss.weight.data = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    theta = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    loss(torch.stack([theta.cos(), theta.sin()])[None], torch.tensor([0])).backward()
    g = 2 * ((math.cos(1) + 1) / 2) ** 3 - 1
    wrong = 1 / (1 + math.exp(g + loss.offset.item()))
    assert theta.grad.item() == pytest.approx(wrong * math.sin(1), abs=1e-12)
