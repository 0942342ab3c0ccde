"""OIM against its equation, and its table against the paper's rule, one sample after the other."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from .oracle import advance, assert_matches_reference, build, circle_points


def unit(v):
    return v / v.square().sum().sqrt().clamp(min=1e-6)


def reference(x, y, state, *, scale, momentum, update, zero_start, soft_start):
    """Softmax over the table; then the table by loops over samples in batch order."""
    table = state["weight"]
    rows = [unit(v) for v in table]  # unit already, but for the rounding of float32
    total = 0
    for i, label in enumerate(y):
        scores = [scale * sum(v[d] * unit(x[i])[d] for d in range(len(v))) for v in rows]
        total = total - scores[label] + torch.log(sum(torch.exp(score) for score in scores))
    moved = table.clone()
    for j in range(len(table)):
        members = [unit(x[i].detach()) for i, label in enumerate(y) if label == j]
        if not members:
            continue
        if update == "batch":
            moved[j] = momentum * moved[j] + (1 - momentum) * sum(members) / len(members)
        else:
            for member in members:
                moved[j] = momentum * moved[j] + (1 - momentum) * member
        moved[j] = unit(moved[j])
    return total / len(y), {"weight": moved}


def paper_rule(table, x, y, momentum):
    """The authors' update: sample by sample, normalised each time."""
    table = table.clone()
    for sample, label in zip(x, y.tolist(), strict=True):
        table[label] = unit(momentum * table[label] + (1 - momentum) * unit(sample))
    return table


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scale": 10.0, "momentum": 0.9},
        {"update": "sequence"},
        {"update": "sequence", "momentum": 0.9, "soft_start": 0.0},
        {"zero_start": True},
        {"momentum": 0.0},
    ],
)
@pytest.mark.parametrize("dim", [2, 5])
def test_matches_reference(options, dim):
    assert_matches_reference("oim", reference, dim=dim, **options)


@pytest.mark.parametrize("options", [{}, {"update": "sequence"}])
def test_matches_reference_with_absent_classes(options):
    x, y = circle_points(12)
    assert_matches_reference("oim", reference, batch=(x, y % 4), **options)


@pytest.mark.parametrize("update", ["batch", "sequence"])
def test_is_the_papers_rule_where_classes_do_not_repeat(update):
    x, y = circle_points(10)
    loss = build("oim", update=update).double()
    expected = paper_rule(loss.weight, x, y, 0.5)
    loss(x, y)
    torch.testing.assert_close(loss.weight, expected, rtol=0, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 0.9), st.integers(1, 12), st.integers(0, 10_000))
def test_sequence_is_near_the_papers_rule_for_tight_classes(momentum, count, seed):
    """Normalising once instead of each time changes the row by the square of the spread."""
    generator = torch.Generator().manual_seed(seed)
    loss = build("oim", update="sequence", momentum=momentum).double()
    noise = 0.01 * torch.randn(count, 2, generator=generator, dtype=torch.float64)
    x, y = loss.weight[3] + noise, torch.full((count,), 3)
    expected = paper_rule(loss.weight, x, y, momentum)
    loss(x, y)
    torch.testing.assert_close(loss.weight, expected, rtol=0, atol=3e-3**2 * 10)


def test_sequence_gives_the_last_sample_the_most_weight():
    """v at 0 degrees, then samples at 90 and 180: (1/4)(1, 0) + (1/4)(0, 1) + (1/2)(-1, 0)."""
    loss = build("oim", update="sequence")
    loss.weight[0] = torch.tensor([1.0, 0.0])
    loss(torch.tensor([[0.0, 2.0], [-3.0, 0.0]]), torch.zeros(2, dtype=torch.long))
    torch.testing.assert_close(loss.weight[0], torch.tensor([-1.0, 1.0]) / math.sqrt(2))


def test_rows_stay_unit_and_absent_ones_untouched():
    loss = build("oim", momentum=0.9)
    before = loss.weight.clone()
    x, y = circle_points()
    for _ in range(50):
        loss(x.float(), y % 7)
    torch.testing.assert_close(loss.weight.norm(dim=1), torch.ones(10))
    assert torch.equal(loss.weight[7:], before[7:])


def test_the_table_ends_at_the_mean_directions():
    loss = build("oim").double()
    x, y = circle_points()
    for _ in range(60):
        loss(x, y)
    for j in range(10):
        expected = unit(sum(unit(p) for p in x[y == j]))
        torch.testing.assert_close(loss.weight[j], expected, rtol=0, atol=1e-9)


def test_from_zeros_the_first_step_has_no_gradient():
    """The pitfall of the public code: all scores are 0, the value log C, the gradient exactly 0."""
    loss = build("oim", zero_start=True)
    x, y = circle_points()
    x = x.float().requires_grad_()
    value = loss(x, y)
    value.backward()
    torch.testing.assert_close(value, torch.tensor(10.0).log())
    assert not x.grad.any()
    x.grad = None
    loss(x, y).backward()
    assert x.grad.any()


def test_soft_start_uses_the_lengths():
    loss = build("oim").eval()
    x, y = circle_points()
    x = x.float()
    final = loss(x, y)
    advance(loss, 0.1)
    expected = torch.nn.functional.cross_entropy(x @ loss.weight.T, y)
    torch.testing.assert_close(loss(x, y), expected)
    advance(loss, 0.6)
    assert torch.equal(loss(x, y), final)
