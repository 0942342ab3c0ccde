"""Logit-adjusted cross-entropy against its equation, softmax for balanced classes, and counts."""

from __future__ import annotations

import math

import pytest
import torch

from lossbench.errors import UsageError
from lossbench.losses import LogitAdjusted, WeightedSum

from .oracle import assert_matches_reference, build, circle_points
from .test_ldam import with_counts


def reference(x, y, state, *, tau, bias):
    """Cross-entropy of the scores plus tau times the logarithm of the share of each class."""
    total = 0
    counts = state["counts"].tolist()
    for i, label in enumerate(y):
        shares = []
        for j, w in enumerate(state["weight"]):
            score = sum(w[d] * x[i, d] for d in range(len(w))) + tau * math.log(counts[j] / sum(counts))
            shares.append(torch.exp(score + state["bias"][j] if bias else score))
        total = total - torch.log(shares[label] / sum(shares))
    return total / len(y)


@pytest.mark.parametrize("settings", [{}, {"tau": 2.0}, {"tau": 0.0}, {"bias": True}])
@pytest.mark.parametrize("dim", [1, 2, 5])
@pytest.mark.parametrize("prepare", [None, with_counts])
def test_matches_reference(settings, dim, prepare):
    assert_matches_reference("logit-adjusted", reference, dim=dim, prepare=prepare, **settings)


@pytest.mark.parametrize("settings", [{}, {"tau": 0.0, "counts": torch.arange(1.0, 11)}])
def test_balanced_or_without_tau_it_is_softmax_bit_for_bit(settings):
    x, y = circle_points()
    plain, adjusted = build("softmax"), build("logit-adjusted", **settings)
    assert torch.equal(adjusted(x.float(), y), plain(x.float(), y))


def test_scores_at_test_have_no_adjustment():
    x, _ = circle_points()
    plain, adjusted = build("softmax"), build("logit-adjusted", counts=torch.arange(1.0, 11))
    assert torch.equal(adjusted.logits(x.float()), plain.logits(x.float()))


def test_hand_value():
    """Two classes with scores 1 and 0 and nine times as many samples of the second."""
    loss = LogitAdjusted(2, 1, counts=torch.tensor([10, 90]))
    loss.weight.data = torch.tensor([[1.0], [0.0]])
    value = loss(torch.ones(1, 1), torch.tensor([0])).item()
    assert value == pytest.approx(math.log1p(9 * math.exp(-1)), abs=1e-6)


def test_a_class_without_samples_counts_as_one():
    assert torch.equal(LogitAdjusted(3, 2, counts=torch.tensor([4, 0, 2])).counts, torch.tensor([4.0, 1, 2]))


@pytest.mark.parametrize("counts", [[1.0, 2.0], [[1.0, 2.0, 3.0]], [1.0, -2.0, 3.0], [1.0, math.nan, 3.0]])
def test_other_counts_are_refused(counts):
    with pytest.raises(UsageError, match="counts"):
        LogitAdjusted(3, 2, counts=torch.tensor(counts))


def test_losses_without_counts_refuse_them():
    with pytest.raises(TypeError, match="counts"):
        build("softmax", counts=torch.ones(10))


def test_a_sum_hands_counts_to_the_terms_that_have_them():
    terms = {name: build(name) for name in ("softmax", "logit-adjusted", "ldam", "ghm")}
    WeightedSum(terms, [1.0] * 4).set_class_counts(torch.arange(10))
    expected = torch.tensor([1.0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    assert torch.equal(terms["logit-adjusted"].counts, expected)
    assert torch.equal(terms["ldam"].counts, expected)
