"""Modified softmax against its equation and pytorch-metric-learning."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from .oracle import assert_equals_library, assert_matches_reference, build, circle_points


def reference(x, y, state):
    """f_j = |x| cos(theta_j) from the angle itself, cross-entropy written out."""
    total = 0
    for i, label in enumerate(y):
        length = x[i].square().sum().sqrt()
        scores = []
        for w in state["weight"]:
            dot = sum(w[d] * x[i, d] for d in range(len(w)))
            theta = torch.acos(dot / (length * w.square().sum().sqrt()))
            scores.append(length * torch.cos(theta))
        total = total - scores[label] + torch.log(sum(torch.exp(score) for score in scores))
    return total / len(y)


@pytest.mark.parametrize("dim", [2, 5])
@pytest.mark.parametrize("classes", [3, 10])
def test_matches_reference(classes, dim):
    assert_matches_reference("modified-softmax", reference, classes=classes, dim=dim)


def test_matches_pytorch_metric_learning():
    from pytorch_metric_learning.distances import DotProductSimilarity
    from pytorch_metric_learning.losses import NormalizedSoftmaxLoss

    ours = build("modified-softmax").double()
    theirs = NormalizedSoftmaxLoss(
        10, 2, temperature=1, distance=DotProductSimilarity(normalize_embeddings=False)
    ).double()
    assert_equals_library(ours, theirs, tolerance=1e-10)


def test_hand_value():
    """Two opposite directions and a feature of length 3 at 60 degrees: scores 1.5 and -1.5."""
    loss = build("modified-softmax", classes=2)
    loss.weight.data = torch.tensor([[5.0, 0.0], [-0.1, 0.0]])
    x = 3 * torch.tensor([[0.5, math.sqrt(0.75)]])
    torch.testing.assert_close(loss.logits(x), torch.tensor([[1.5, -1.5]]))
    torch.testing.assert_close(loss(x, torch.tensor([0])), torch.tensor(math.log1p(math.exp(-3))))


def test_equals_softmax_where_the_weights_have_length_one():
    modified, softmax = build("modified-softmax").double(), build("softmax").double()
    softmax.weight.data = modified.weight.data / modified.weight.data.norm(dim=1, keepdim=True)
    x, y = circle_points()
    torch.testing.assert_close(modified(x, y), softmax(x, y), rtol=0, atol=1e-12)


@given(st.integers(1, 12), st.integers(1, 6), st.integers(1, 9), st.floats(1.001, 20))
@settings(max_examples=25, deadline=None)
def test_longer_features_are_surer_and_decide_alike(classes, dim, batch, factor):
    """Where x leans to its own class, stretching it lowers the loss and changes no decision."""
    loss = build("modified-softmax", classes=classes, dim=dim).double()
    x = torch.randn(batch, dim, dtype=torch.float64)
    scores = loss.logits(x)
    y = scores.argmax(1)
    assert torch.equal(loss.logits(factor * x).argmax(1), y)
    assert loss(factor * x, y) <= loss(x, y)
