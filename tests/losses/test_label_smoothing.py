"""Label smoothing against its equation."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from lossbench.losses import LabelSmoothing

from .oracle import assert_matches_reference, build, circle_points


def reference(x, y, state, *, smoothing, bias):
    """-sum_j q_j log p_j with q_j = (1 - eps) [j = y] + eps / C, written out sample by sample."""
    total = 0
    classes = len(state["weight"])
    for i, label in enumerate(y):
        scores = [sum(w[d] * x[i, d] for d in range(len(w))) for w in state["weight"]]
        if bias:
            scores = [score + own for score, own in zip(scores, state["bias"], strict=True)]
        norm = torch.log(sum(torch.exp(score) for score in scores))
        for j, score in enumerate(scores):
            q = smoothing / classes + (1 - smoothing if j == label else 0)
            total = total - q * (score - norm)
    return total / len(y)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
@pytest.mark.parametrize("dim", [1, 2, 5])
@pytest.mark.parametrize("bias", [True, False])
def test_matches_reference(smoothing, dim, bias):
    assert_matches_reference("label-smoothing", reference, dim=dim, smoothing=smoothing, bias=bias)


def test_without_smoothing_it_is_softmax():
    x, y = circle_points()
    plain, smooth = build("softmax"), build("label-smoothing", smoothing=0.0, bias=False)
    assert torch.equal(smooth(x.float(), y), plain(x.float(), y))


def test_least_value_is_at_a_finite_margin():
    """Two classes: the best score difference is log((2 - eps) / eps), where the value is the entropy of q."""
    eps = 0.2
    loss = LabelSmoothing(2, 1, smoothing=eps, bias=False).double()
    loss.weight.data = torch.tensor([[0.5], [-0.5]], dtype=torch.float64)
    best = math.log((2 - eps) / eps)
    x = torch.tensor([[best]], dtype=torch.float64, requires_grad=True)
    value = loss(x, torch.tensor([0]))
    value.backward()
    assert x.grad.item() == pytest.approx(0, abs=1e-12)
    assert value.item() == pytest.approx(-0.9 * math.log(0.9) - 0.1 * math.log(0.1), abs=1e-12)


def test_equals_the_mixture_of_cross_entropy_and_uniform_targets():
    loss = build("label-smoothing", smoothing=0.3).double()
    x, y = circle_points()
    log_p = F.log_softmax(loss.logits(x), -1)
    expected = 0.7 * F.nll_loss(log_p, y) - 0.3 * log_p.mean()
    torch.testing.assert_close(loss(x, y), expected, rtol=0, atol=1e-12)
