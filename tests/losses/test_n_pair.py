"""N-pair against its equation, against the paper's own batch of one pair a class, and its norm term."""

from __future__ import annotations

import math

import pytest
import torch
from pytorch_metric_learning.distances import DotProductSimilarity
from pytorch_metric_learning.losses import NPairsLoss

from lossbench.losses.n_pair import _softplus_sums

from .oracle import assert_matches_reference, build, circle_points


def reference(x, y, state, *, l2):
    """Every ordered positive pair against the class means of exp, plus its ends' squared lengths."""
    product = [[left @ right for right in x] for left in x]
    total, pairs = 0 * x.sum(), 0
    for i in range(len(y)):
        members = {c: [n for n in range(len(y)) if y[n] == c] for c in set(y) if c != y[i]}
        for p in range(len(y)):
            if p == i or y[p] != y[i] or not members:
                continue
            gaps = sum(
                sum(torch.exp(product[i][n] - product[i][p]) for n in group) / len(group)
                for group in members.values()
            )
            total = total + torch.log(1 + gaps) + l2 * (product[i][i] + product[p][p]) / 2
            pairs += 1
    return total / max(pairs, 1)


@pytest.mark.parametrize("l2", [0.0, 0.002, 0.5])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_matches_reference(l2, dim):
    batch = circle_points(16, classes=4, dim=dim)
    assert_matches_reference("n-pair", reference, classes=4, dim=dim, batch=batch, l2=l2)


def test_matches_reference_with_classes_of_unequal_size():
    x, _ = circle_points(12)
    y = torch.tensor([0, 0, 0, 1, 1, 2, 3, 3, 3, 3, 3, 4])
    assert_matches_reference("n-pair", reference, batch=(x, y))


def test_one_pair_of_equal_samples_per_class_is_the_papers_loss():
    """Then anchors and positives are the same points: cross-entropy of the Gram matrix, as in NPairsLoss."""
    x = circle_points(10)[0]
    leaf = x.clone().requires_grad_()
    twice, y = x.repeat(2, 1), torch.arange(10).repeat(2)
    value = build("n-pair", l2=0.0)(twice, y)
    theirs = NPairsLoss(distance=DotProductSimilarity(normalize_embeddings=False))(leaf.repeat(2, 1), y)
    torch.testing.assert_close(value, theirs.detach(), rtol=0, atol=1e-9)
    torch.testing.assert_close(value, torch.nn.functional.cross_entropy(x @ x.T, torch.arange(10)))


def test_is_an_upper_bound_of_choosing_one_sample_per_class():
    """Jensen: the mean over all choices of the other classes' samples is not larger."""
    x, y = circle_points(6, classes=3)
    value = build("n-pair", classes=3, l2=0.0)(x, y)
    rows = []
    for i in range(6):
        p = (i + 3) % 6
        first, second = (n for n in range(3) if n != i % 3)
        for a in (first, first + 3):
            for b in (second, second + 3):
                gap = torch.exp(x[i] @ x[a] - x[i] @ x[p]) + torch.exp(x[i] @ x[b] - x[i] @ x[p])
                rows.append(torch.log1p(gap))
    average = torch.stack(rows).mean()
    assert average < value < average + 1


def test_zero_features_cost_log_of_the_number_of_classes():
    value = build("n-pair")(torch.zeros(40, 2), torch.arange(40) % 10)
    assert value.item() == pytest.approx(math.log(10), abs=1e-6)


def test_no_usable_pair_gives_a_differentiable_zero():
    x, y = circle_points(10)
    for labels in (y, 0 * y):
        leaf = x.clone().requires_grad_()
        value = build("n-pair", l2=1.0)(leaf, labels)
        value.backward()
        assert value.item() == 0
        assert leaf.grad.abs().sum() == 0


@pytest.mark.parametrize("columns", [1, 2, 7, 40])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sum_of_softplus_keeps_every_digit(columns, dtype):
    mask = (torch.arange(3 * columns) % 3 > 0).to(dtype).view(3, columns)
    for size in (1e-3, 1.0, 30.0, 1e4):
        values = size * torch.randn(3, columns, dtype=dtype) * mask
        for some in (values, -values.abs()):
            expected = (torch.logaddexp(some.double(), torch.zeros(())) * mask).sum(1)
            found = _softplus_sums(some, mask).double()
            torch.testing.assert_close(found, expected, rtol=2 * columns * torch.finfo(dtype).eps, atol=1e-30)
