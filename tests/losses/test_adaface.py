"""AdaFace against its equations, ArcFace and CosFace, and the course of mu and sigma."""

from __future__ import annotations

import math
import statistics

import pytest
import torch

from .oracle import assert_matches_reference, build, circle_points


def reference(x, y, state, *, scale, margin, h, rate, soft_start):
    """mu and sigma by plain statistics, quality and angle sample by sample; progress is 1."""
    lengths = [min(max(math.hypot(*point), 1e-3), 100) for point in x.detach().tolist()]
    mu = (1 - rate) * state["mu"].item() + rate * statistics.mean(lengths)
    sigma = (1 - rate) * state["sigma"].item() + rate * statistics.stdev(lengths)
    total = 0
    for i, label in enumerate(y):
        quality = min(max(h * (lengths[i] - mu) / (sigma + 1e-3), -1), 1)
        scores = []
        for j, w in enumerate(state["weight"]):
            dot = sum(w[d] * x[i, d] for d in range(len(w)))
            theta = torch.acos(dot / (x[i].square().sum().sqrt() * w.square().sum().sqrt()))
            if j != label:
                scores.append(scale * torch.cos(theta))
                continue
            moved = torch.clip(theta - margin * quality, 1e-3, math.pi - 1e-3)
            scores.append(scale * (torch.cos(moved) - (margin + margin * quality)))
        total = total - scores[label] + torch.log(sum(torch.exp(score) for score in scores))
    return total / len(y), {
        "mu": torch.tensor(mu, dtype=x.dtype),
        "sigma": torch.tensor(sigma, dtype=x.dtype),
    }


def prepare(loss):
    """Averages near the lengths of the test batch, so that the quality takes all values."""
    loss.mu.fill_(1.7)
    loss.sigma.fill_(0.6)


@pytest.mark.parametrize(
    "options", [{}, {"scale": 10.0, "margin": 0.4, "h": 1.0}, {"margin": 0.3, "h": 0.333, "rate": 1.0}]
)
@pytest.mark.parametrize("dim", [2, 5])
@pytest.mark.parametrize("start", [None, prepare])
def test_matches_reference(options, dim, start):
    assert_matches_reference("adaface", reference, dim=dim, prepare=start, **options)


def at_quality(value, **options):
    """A loss, and points whose lengths all have this quality."""
    loss = build("adaface", rate=0.0, h=1.0, **options).double()
    loss.mu.fill_(50.0)
    loss.sigma.fill_(10.0 - 1e-3)
    x, y = circle_points()
    return loss, (50 + 10 * value) * x / x.norm(dim=1, keepdim=True), y


def test_middling_length_is_cosface():
    loss, x, y = at_quality(0.0, scale=16.0, margin=0.2)
    cosface = build("cosface", scale=16.0, margin=0.2).double()
    torch.testing.assert_close(loss(x, y), cosface(x, y), rtol=0, atol=1e-8)


@pytest.mark.parametrize("quality", [-1.0, -3.0])
def test_short_features_get_arcface(quality):
    """Below pi - m, where AdaFace clips the angle; the quality is clipped at -1."""
    loss, x, _ = at_quality(quality, scale=16.0, margin=0.2)
    arcface = build("arcface", scale=16.0, margin=0.2).double()
    y = loss.logits(x).argmax(1)
    torch.testing.assert_close(loss(x, y), arcface(x, y), rtol=0, atol=1e-8)


@pytest.mark.parametrize("quality", [1.0, 4.0])
def test_hand_value_of_long_features(quality):
    """Quality 1: cos(theta - m) - 2m, with theta = 1 and the other class opposite."""
    loss = build("adaface", classes=2, scale=2.0, margin=0.3, rate=0.0, h=1.0).double()
    loss.mu.fill_(5.0)
    loss.sigma.fill_(1 - 1e-3)
    loss.weight.data = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    x = (5 + quality) * torch.tensor([[math.cos(1.0), math.sin(1.0)]], dtype=torch.float64)
    difference = 2 * -math.cos(1.0) - 2 * (math.cos(0.7) - 0.6)
    assert loss(x, torch.tensor([0])).item() == pytest.approx(math.log1p(math.exp(difference)), abs=1e-10)


def test_without_margin_it_is_normface():
    x, y = circle_points()
    angles = build("normface", scale=16.0).double()
    ours = build("adaface", scale=16.0, margin=0.0).double()
    # the angle is clipped at 1e-3, which costs less than 1e-6 of cosine
    torch.testing.assert_close(ours(x, y), angles(x, y), rtol=0, atol=1e-5)


def test_no_gradient_passes_through_the_length():
    loss = build("adaface", h=1.0).double()
    prepare(loss)
    x, y = circle_points()
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(x, y), x)
    torch.testing.assert_close((gradient * x).sum(1), torch.zeros(len(y), dtype=x.dtype), rtol=0, atol=1e-12)


def test_averages_follow_training_batches_only():
    """Lengths 1, 2, 3: mean 2, unbiased deviation 1; one sample has no deviation."""
    loss = build("adaface", rate=0.1)
    x = torch.tensor([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0]])
    y = torch.tensor([0, 1, 2])
    loss(x, y)
    assert loss.mu.item() == pytest.approx(0.9 * 20 + 0.1 * 2, rel=1e-6)
    assert loss.sigma.item() == pytest.approx(0.9 * 100 + 0.1, rel=1e-6)
    before = loss.sigma.clone()
    loss(x[:1], y[:1])
    assert torch.equal(loss.sigma, before)
    assert loss.mu.item() == pytest.approx(0.9 * 18.2 + 0.1, rel=1e-6)
    mean = loss.mu.clone()
    loss.eval()(x, y)
    assert torch.equal(loss.mu, mean)
    assert torch.equal(loss.sigma, before)
