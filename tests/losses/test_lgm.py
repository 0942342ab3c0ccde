"""L-GM loss against its equations, with identity and with diagonal covariance."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from lossbench.losses import LGM

from .oracle import assert_matches_reference, build, circle_points


def reference(x, y, state, *, alpha, lam, covariance):
    """Gaussian densities as in the paper, the margin in the exponent of the own class."""
    total = 0
    means, dim = state["centers"], x.shape[1]
    for i, label in enumerate(y):
        distances, volumes = [], []
        for j in range(len(means)):
            variance = (
                [torch.exp(v) for v in state["log_variance"][j]] if covariance == "diagonal" else [1.0] * dim
            )
            distances.append(sum((x[i, d] - means[j, d]) ** 2 / variance[d] for d in range(dim)) / 2)
            volumes.append(torch.as_tensor(math.prod(variance), dtype=x.dtype))
        weights = [
            volume**-0.5 * torch.exp(-distance * (1 + alpha if j == label else 1))
            for j, (distance, volume) in enumerate(zip(distances, volumes, strict=True))
        ]
        likelihood = distances[label] + torch.log(volumes[label]) / 2
        total = total - torch.log(weights[label] / sum(weights)) + lam * likelihood
    return total / len(y)


def spread_variances(loss):
    if loss.log_variance is not None:
        with torch.no_grad():
            loss.log_variance.copy_(
                torch.sin(torch.arange(loss.log_variance.numel())).view_as(loss.log_variance)
            )


@pytest.mark.parametrize(("alpha", "lam"), [(1.0, 0.1), (0.0, 0.0), (0.3, 1.0)])
@pytest.mark.parametrize("covariance", ["identity", "diagonal"])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_matches_reference(alpha, lam, covariance, dim):
    assert_matches_reference(
        "lgm", reference, dim=dim, prepare=spread_variances, alpha=alpha, lam=lam, covariance=covariance
    )


def test_without_margin_and_likelihood_it_is_softmax_of_squared_distances():
    loss = build("lgm", alpha=0.0, lam=0.0).double()
    x, y = circle_points()
    expected = F.cross_entropy(-torch.cdist(x, loss.centers).square() / 2, y)
    torch.testing.assert_close(loss(x, y), expected, rtol=0, atol=1e-9)


def test_unit_variances_equal_the_identity():
    x, y = circle_points()
    plain, diagonal = build("lgm").double(), build("lgm", covariance="diagonal").double()
    assert torch.equal(plain(x, y), diagonal(x, y))


def test_likelihood_term_uses_the_covariance():
    """Not the Euclidean distance (YirongMao): variance 4, offset 2, so d = 1/2 and log|Sigma|/2 = log 2."""
    loss = LGM(1, 1, lam=1.0, covariance="diagonal")
    loss.centers.data.zero_()
    loss.log_variance.data.fill_(math.log(4))
    assert loss(torch.tensor([[2.0]]), torch.tensor([0])).item() == pytest.approx(0.5 + math.log(2))


def test_hand_value_with_margin():
    """Means 0 and 2, x = 1 of class 0, alpha = 1: scores -1 and -1/2."""
    loss = LGM(2, 1, alpha=1.0, lam=0.1)
    loss.centers.data = torch.tensor([[0.0], [2.0]])
    value = loss(torch.tensor([[1.0]]), torch.tensor([0])).item()
    assert value == pytest.approx(math.log(1 + math.exp(0.5)) + 0.1 * 0.5)


def test_scores_have_no_margin():
    low, high = build("lgm", alpha=0.0), build("lgm", alpha=2.0)
    x = circle_points()[0].float()
    assert torch.equal(low.logits(x), high.logits(x))


def test_means_are_trained_and_variances_cannot_collapse():
    """All points of a class on its mean: the likelihood alone would send the variance to 0."""
    loss = build("lgm", covariance="diagonal", classes=2)
    loss.log_variance.data.fill_(-1000.0)
    value = loss(loss.centers.detach(), torch.arange(2))
    value.backward()
    assert torch.isfinite(value)
    assert all(torch.isfinite(p.grad).all() for p in loss.parameters())


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_logarithms_of_variances_count_within_ten_of_0(sign):
    x, y = circle_points()
    loss = build("lgm", covariance="diagonal").double()
    loss.log_variance.data.fill_(sign * 10)
    expected = loss(x, y)
    for beyond, equal in ((11.0, True), (9.9, False)):
        loss.log_variance.data.fill_(sign * beyond)
        assert torch.equal(loss(x, y), expected) == equal
