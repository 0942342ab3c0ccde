"""Range loss against its equation: all pairs, sorted."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from .oracle import assert_matches_reference, build, circle_points


def squared(a, b):
    return sum((a[d] - b[d]) ** 2 for d in range(len(a)))


def reference(x, y, state, *, k, margin, intra, inter):
    """Harmonic mean of each class's k longest pairs; hinge of the closest pair of class means."""
    groups = {c: [i for i, label in enumerate(y) if label == c] for c in sorted(set(y))}
    harmonic = []
    for members in groups.values():
        ranges = [squared(x[i], x[j]) + 1e-8 for i in members for j in members if i < j]
        longest = sorted(ranges, key=torch.Tensor.item, reverse=True)[:k]
        if longest:
            harmonic.append(len(longest) / sum(1 / r for r in longest))
    within = sum(harmonic) / max(len(harmonic), 1)
    means = [sum(x[i] for i in members) / len(members) for members in groups.values()]
    apart = [squared(p, q) for a, p in enumerate(means) for q in means[:a]]
    between = torch.relu(margin - min(apart, key=torch.Tensor.item)) if apart else 0
    return intra * within + inter * between + 0 * x.sum()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"k": 1, "intra": 1.0, "inter": 0.5},
        {"k": 4, "intra": 0.3, "inter": 2.0, "margin": 1.0},
        {"k": 30, "intra": 1.0, "inter": 0.0},
        {"margin": 0.0, "intra": 1.0},
    ],
)
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_matches_reference(settings, dim):
    assert_matches_reference("range", reference, dim=dim, **settings)


@hypothesis_settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=9), st.integers(1, 5), st.integers(0, 10_000))
def test_matches_reference_on_uneven_batches(labels, k, seed):
    """Singletons, absent classes, fewer pairs than k, fewer samples than k."""
    x = torch.randn(len(labels), 2, generator=torch.Generator().manual_seed(seed)).double()
    batch = (x, torch.tensor(labels))
    assert_matches_reference("range", reference, classes=4, batch=batch, k=k, intra=1.0, inter=1.0)


def test_known_value():
    """Class 0 at 0, 1, 3 (k = 2: D = 9, 4), class 1 at 5, 5: mean distance (5 - 4/3)^2."""
    x = torch.tensor([[0.0], [1.0], [3.0], [5.0], [5.0]], dtype=torch.float64)
    y = torch.tensor([0, 0, 0, 1, 1])
    loss = build("range", classes=2, dim=1, intra=1.0, inter=1.0, margin=20.0).double()
    expected = (2 / (1 / 9 + 1 / 4) + 1e-8) / 2 + 20 - (11 / 3) ** 2
    assert loss(x, y).item() == pytest.approx(expected, abs=1e-7)


def test_only_the_extremes_and_the_closest_means_get_gradient():
    x = torch.tensor([[0.0], [0.5], [1.0], [9.0], [9.5], [10.0]], requires_grad=True)
    y = torch.tensor([0, 0, 0, 1, 1, 1])
    build("range", classes=2, dim=1, k=1, intra=1.0, inter=0.0)(x, y).backward()
    assert (x.grad[:, 0] != 0).tolist() == [True, False, True, True, False, True]


def test_far_means_rest():
    x, y = circle_points()
    near, far = build("range", margin=1e-6), build("range", margin=0.0)
    assert torch.equal(near.double()(x, y), far.double()(x, y))


def test_no_pair_at_all_is_a_differentiable_zero():
    x = torch.ones(1, 2, requires_grad=True)
    value = build("range")(x, torch.tensor([4]))
    value.backward()
    assert value.item() == 0
    assert not x.grad.any()


def test_distances_are_exact_far_from_the_origin():
    """The expansion |x|^2 + |y|^2 - 2xy would pick and measure other pairs here."""
    x, y = circle_points()
    x = x.float()
    loss = build("range", k=1, intra=1.0, inter=0.0)
    torch.testing.assert_close(loss(x + 1024, y), loss(x, y), rtol=1e-3, atol=0)
