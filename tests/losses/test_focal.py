"""Focal loss against its equation, and the places where public versions differ."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from lossbench.losses import Focal

from .oracle import assert_matches_reference, build, circle_points


def reference(x, y, state, *, gamma, alpha):
    """-alpha (1 - p)^gamma log p with the probability written out as a quotient."""
    total = 0
    for i, label in enumerate(y):
        powers = [torch.exp(sum(w[d] * x[i, d] for d in range(len(w)))) for w in state["weight"]]
        p = powers[label] / sum(powers)
        total = total - alpha * (1 - p) ** gamma * torch.log(p)
    return total / len(y)


@pytest.mark.parametrize(("gamma", "alpha"), [(2.0, 1.0), (0.5, 0.25), (5.0, 1.0), (0.0, 1.0)])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_matches_reference(gamma, alpha, dim):
    assert_matches_reference("focal", reference, dim=dim, gamma=gamma, alpha=alpha)


def test_gamma_zero_is_softmax():
    """To 1e-6: the mean of single values is added up in another order than torch's mean cross-entropy."""
    x, y = circle_points()
    plain, focal = build("softmax")(x.float(), y), build("focal", gamma=0.0)(x.float(), y)
    torch.testing.assert_close(focal, plain, rtol=0, atol=1e-6)


def test_two_classes_are_torchvisions_sigmoid_form():
    """Scores (z, 0) give p = sigmoid(z): value and gradient of the paper's binary form."""
    from torchvision.ops import sigmoid_focal_loss

    loss = Focal(2, 1, gamma=2.0).double()
    loss.weight.data = torch.tensor([[1.0], [0.0]], dtype=torch.float64)
    z = torch.linspace(-6, 6, 31, dtype=torch.float64)
    y = torch.arange(31) % 2
    ours, theirs = z.clone().requires_grad_(), z.clone().requires_grad_()
    value = loss(ours[:, None], y)
    expected = sigmoid_focal_loss(theirs, (y == 0).double(), alpha=-1, gamma=2.0, reduction="mean")
    value.backward()
    expected.backward()
    torch.testing.assert_close(value, expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-10)


def test_factor_belongs_to_each_sample():
    """Not a factor of the batch mean (ronghuaiyang)."""
    loss = build("focal").double()
    x, y = circle_points()
    mean = F.cross_entropy(loss.logits(x), y)
    wrong = (1 - torch.exp(-mean)) ** 2 * mean
    assert abs(loss(x, y) - wrong) > 1e-2


def test_sure_samples_have_a_finite_gradient_for_small_gamma():
    """p = 1 in float32, where (1 - p)^0.5 has an infinite slope."""
    loss = Focal(2, 1, gamma=0.5)
    loss.weight.data = torch.tensor([[1.0], [-1.0]])
    x = torch.tensor([[100.0], [1e4]], requires_grad=True)
    value = loss(x, torch.tensor([0, 0]))
    value.backward()
    assert value.item() == 0
    assert torch.equal(x.grad, torch.zeros(2, 1))


@settings(max_examples=25, deadline=None)
@given(gamma=st.floats(0, 8), score=st.floats(-30, 30))
def test_value_of_one_sample(gamma, score):
    """Between 0 and the cross-entropy, and equal to the formula."""
    loss = Focal(2, 1, gamma=gamma).double()
    loss.weight.data = torch.tensor([[1.0], [0.0]], dtype=torch.float64)
    value = loss(torch.tensor([[score]], dtype=torch.float64), torch.tensor([0])).item()
    cross_entropy = math.log1p(math.exp(-score))
    assert 0 <= value <= cross_entropy + 1e-12
    miss = 1 / (1 + math.exp(score))
    assert value == pytest.approx(miss**gamma * cross_entropy, rel=1e-9, abs=1e-14)
