"""Proxy-NCA against its equation, with the own proxy out of the sum, and against pytorch-metric-learning."""

from __future__ import annotations

import math

import pytest
import torch

from .oracle import assert_equals_library, assert_matches_reference, build, circle_points


def reference(x, y, state, *, scale, positive_included, soft_start):
    """Squared distances of unit vectors, the sum over the other proxies; progress is 1."""
    total = 0
    for i, label in enumerate(y):
        a = x[i] / x[i].square().sum().sqrt()
        distances = []
        for w in state["weight"]:
            p = w / w.square().sum().sqrt()
            distances.append(scale * sum((a[d] - p[d]) ** 2 for d in range(len(p))))
        rivals = sum(torch.exp(-d) for j, d in enumerate(distances) if positive_included or j != label)
        total = total - torch.log(torch.exp(-distances[label]) / rivals)
    return total / len(y)


@pytest.mark.parametrize(
    "settings",
    [{}, {"scale": 1.0}, {"scale": 3.0, "positive_included": True}, {"scale": 30.0, "soft_start": 0.0}],
)
@pytest.mark.parametrize("dim", [2, 5])
def test_matches_reference(settings, dim):
    assert_matches_reference("proxy-nca", reference, dim=dim, **settings)


@pytest.mark.parametrize("scale", [1.0, 3.0, 12.0])
def test_with_the_positive_it_is_pytorch_metric_learnings(scale):
    from pytorch_metric_learning.losses import ProxyNCALoss

    ours = build("proxy-nca", scale=scale, positive_included=True).double()
    theirs = ProxyNCALoss(10, 2, softmax_scale=scale).double()
    assert_equals_library(ours, theirs, transposed=False)


def test_known_values_of_two_classes():
    """x on its proxy, the other opposite: -s * 4 without the positive, log(1 + exp(-4s)) with it."""
    for included, expected in ((False, -4.0), (True, math.log1p(math.exp(-4)))):
        loss = build("proxy-nca", classes=2, scale=1.0, positive_included=included)
        loss.weight.data = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
        value = loss(torch.tensor([[2.0, 0.0]]), torch.tensor([0]))
        assert value.item() == pytest.approx(expected, abs=1e-6)


def test_the_two_forms_differ_by_the_probability_of_a_miss():
    """sum_{j != y} = (1 - p_y) sum_j, so the paper's value is the other plus log(1 - p_y)."""
    x, y = circle_points()
    paper, public = build("proxy-nca").double(), build("proxy-nca", positive_included=True).double()
    p = torch.softmax(paper.logits(x), 1)[torch.arange(len(y)), y]
    torch.testing.assert_close(paper(x, y), public(x, y) + torch.log1p(-p).mean(), rtol=0, atol=1e-9)
