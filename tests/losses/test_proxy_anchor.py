"""Proxy-Anchor against its equation and against pytorch-metric-learning."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from .oracle import assert_equals_library, assert_matches_reference, build, circle_points


def reference(x, y, state, *, scale, margin, soft_start):
    """Loops over proxies; attraction is averaged over the classes present, repulsion over all."""
    attract, repel = 0, 0
    for j, w in enumerate(state["weight"]):
        own, others = 0, 0
        for i, label in enumerate(y):
            dot = sum(w[d] * x[i, d] for d in range(len(w)))
            s = dot / (x[i].square().sum().sqrt() * w.square().sum().sqrt())
            if label == j:
                own = own + torch.exp(-scale * (s - margin))
            else:
                others = others + torch.exp(scale * (s + margin))
        attract = attract + torch.log(torch.as_tensor(1 + own))
        repel = repel + torch.log(torch.as_tensor(1 + others))
    return attract / len(set(y)) + repel / len(state["weight"])


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"scale": 32.0, "margin": 0.1},
        {"scale": 8.0, "margin": 0.0},
        {"scale": 1.0, "margin": 0.5},
        {"soft_start": 0.0},
    ],
)
@pytest.mark.parametrize("dim", [2, 5])
def test_matches_reference(settings, dim):
    assert_matches_reference("proxy-anchor", reference, dim=dim, **settings)


@pytest.mark.parametrize("present", [1, 4])
def test_matches_reference_with_absent_classes(present):
    x, y = circle_points(12)
    assert_matches_reference("proxy-anchor", reference, batch=(x, y % present))


@pytest.mark.parametrize("scale", [8.0, 32.0])
@pytest.mark.parametrize("margin", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("present", [3, 10])
def test_matches_pytorch_metric_learning(scale, margin, present):
    from pytorch_metric_learning.losses import ProxyAnchorLoss

    ours = build("proxy-anchor", scale=scale, margin=margin).double()
    theirs = ProxyAnchorLoss(10, 2, margin=margin, alpha=scale).double()
    x, y = circle_points()
    assert_equals_library(ours, theirs, (x, y % present), transposed=False)


def test_known_value_of_one_sample():
    """Two opposite proxies, x on the first: log(1 + e^-s(1-m)) / 1 + (0 + log(1 + e^s(m-1))) / 2."""
    loss = build("proxy-anchor", classes=2, scale=2.0, margin=0.1)
    loss.weight.data = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    value = loss(torch.tensor([[3.0, 0.0]]), torch.tensor([0]))
    assert value.item() == pytest.approx(1.5 * math.log1p(math.exp(-1.8)), abs=1e-6)


@hypothesis_settings(max_examples=25, deadline=None)
@given(st.integers(1, 30), st.integers(1, 6), st.integers(1, 8), st.integers(0, 10_000))
def test_finite_and_positive_for_every_shape(batch, dim, classes, seed):
    generator = torch.Generator().manual_seed(seed)
    loss = build("proxy-anchor", classes, dim)
    x = torch.randn(batch, dim, generator=generator, requires_grad=True)
    value = loss(x, torch.randint(classes, (batch,), generator=generator))
    value.backward()
    assert value.item() >= 0
    assert torch.isfinite(x.grad).all()
    assert torch.isfinite(loss.weight.grad).all()
