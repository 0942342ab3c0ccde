"""Triplet against its equations in every mining, against pytorch-metric-learning, and on its counts."""

from __future__ import annotations

import math
import resource

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchEasyHardMiner, BatchHardMiner, TripletMarginMiner
from pytorch_metric_learning.reducers import AvgNonZeroReducer, MeanReducer

from .oracle import assert_matches_reference, build, circle_points


def chosen(mining, distance, margin, a, own, other, draw):
    """The (p, n) that go with anchor a."""
    if mining == "random":
        return [(max(own, key=lambda p: draw[a][p]), max(other, key=lambda n: draw[a][n]))]
    if mining in ("hard", "easy"):
        extreme = max if mining == "hard" else min
        own = [extreme(own, key=lambda p: distance[a, p].item())]
        other = [min(other, key=lambda n: distance[a, n].item())]
    pairs = [(p, n) for p in own for n in other]
    if mining == "semi-hard":
        return [(p, n) for p, n in pairs if distance[a, p] < distance[a, n] < distance[a, p] + margin]
    return pairs


def reference(x, y, state, *, mining, margin, soft, squared, normalized, reduction, draw=None):
    """Distances one by one, triplets chosen by loops; `draw` (B, B) are the random numbers of `random`."""
    size = len(y)
    if normalized:
        x = torch.stack([row / row.square().sum().sqrt() for row in x])
    distance = {}
    for i in range(size):
        for j in range(size):
            if i != j:
                square = (x[i] - x[j]).square().sum()
                distance[i, j] = square if squared else square.sqrt()
    triplets = []
    for a in range(size):
        own = [p for p in range(size) if p != a and y[p] == y[a]]
        other = [n for n in range(size) if y[n] != y[a]]
        if not own or not other:
            continue
        triplets += [(a, p, n) for p, n in chosen(mining, distance, margin, a, own, other, draw)]
    total, count = 0 * x.sum(), 0
    for a, p, n in triplets:
        gap = distance[a, p] - distance[a, n]
        value = torch.log(1 + torch.exp(gap)) if soft else gap + margin
        if soft or value > 0:
            total = total + value
        count += 1 if reduction == "all" or soft or value > 0 else 0
    return total / max(count, 1)


@pytest.mark.parametrize("mining", ["all", "hard", "semi-hard", "easy"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"reduction": "all", "margin": 0.2, "squared": True, "normalized": True},
        {"soft": True},
    ],
)
def test_matches_reference(mining, settings):
    batch = circle_points(16, classes=4)
    assert_matches_reference("triplet", reference, classes=4, batch=batch, mining=mining, **settings)


@pytest.mark.parametrize("dim", [1, 5])
@pytest.mark.parametrize("soft", [False, True])
def test_matches_reference_in_other_dimensions(dim, soft):
    batch = circle_points(16, classes=4, dim=dim)
    assert_matches_reference("triplet", reference, classes=4, dim=dim, batch=batch, soft=soft)


def test_random_triplets_follow_the_seed():
    """The draw is one (B, B) torch.rand: the reference with the same numbers gives the same value."""
    x, y = circle_points()
    torch.default_generator.manual_seed(11)
    draw = torch.rand(len(y), len(y)).tolist()
    loss = build("triplet", mining="random")
    values = []
    for seed in (11, 11, 12):
        torch.default_generator.manual_seed(seed)
        values.append(loss(x, y).item())
    given_settings = {
        "margin": 1.0,
        "soft": False,
        "squared": False,
        "normalized": False,
        "reduction": "nonzero",
    }
    expected = reference(x, y.tolist(), {}, mining="random", draw=draw, **given_settings).item()
    assert values[0] == values[1] == pytest.approx(expected, abs=1e-12)
    assert values[2] != values[0]


def euclidean():
    return LpDistance(normalize_embeddings=False, p=2, power=1)


def facenet():
    return LpDistance(normalize_embeddings=True, p=2, power=2)


CASES = {
    "all, mean": (
        {"reduction": "all"},
        TripletMarginLoss(1.0, distance=euclidean(), reducer=MeanReducer()),
        None,
    ),
    "all, nonzero": ({}, TripletMarginLoss(1.0, distance=euclidean(), reducer=AvgNonZeroReducer()), None),
    "all, soft": (
        {"soft": True},
        TripletMarginLoss(0.0, smooth_loss=True, distance=euclidean(), reducer=MeanReducer()),
        None,
    ),
    "hard": (
        {"mining": "hard", "reduction": "all"},
        TripletMarginLoss(1.0, distance=euclidean(), reducer=MeanReducer()),
        BatchHardMiner(distance=euclidean()),
    ),
    "hard, soft": (
        {"mining": "hard", "soft": True},
        TripletMarginLoss(0.0, smooth_loss=True, distance=euclidean(), reducer=MeanReducer()),
        BatchHardMiner(distance=euclidean()),
    ),
    "easy": (
        {"mining": "easy"},
        TripletMarginLoss(1.0, distance=euclidean(), reducer=AvgNonZeroReducer()),
        BatchEasyHardMiner("easy", "hard", distance=euclidean()),
    ),
    "semi-hard, FaceNet": (
        {"mining": "semi-hard", "margin": 0.2, "squared": True, "normalized": True},
        TripletMarginLoss(0.2, distance=facenet(), reducer=MeanReducer()),
        TripletMarginMiner(0.2, type_of_triplets="semihard", distance=facenet()),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_matches_pytorch_metric_learning(case):
    ours, theirs, miner = CASES[case]
    x, y = circle_points()
    ours_x, theirs_x = x.clone().requires_grad_(), x.clone().requires_grad_()
    value = build("triplet", **ours)(ours_x, y)
    expected = theirs(theirs_x, y, miner(theirs_x, y) if miner else None)
    value.backward()
    expected.backward()
    torch.testing.assert_close(value, expected, rtol=0, atol=1e-9)
    torch.testing.assert_close(ours_x.grad, theirs_x.grad, rtol=0, atol=1e-9)


def test_hand_value():
    """Anchors 0 and 1 on a line with a negative at 2.5: 1 - 2.5 + 2 and 1 - 1.5 + 2, none for the third."""
    x, y = torch.tensor([[0.0], [1.0], [2.5]]), torch.tensor([0, 0, 1])
    for mining in ("all", "hard", "easy", "semi-hard", "random"):
        assert build("triplet", dim=1, margin=2.0, mining=mining)(x, y).item() == pytest.approx(
            (0.5 + 1.5) / 2
        )


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("mining", ["all", "hard", "semi-hard", "easy", "random"])
def test_every_form_is_finite_and_compiles_and_runs_under_vmap(mining, soft):
    x, y = circle_points()
    x, loss = x.float(), build("triplet", mining=mining, soft=soft)
    edges = [(0 * x, y), (1e4 * x, y), (x, 0 * y), (x[:1], y[:1]), (x[:10], y[:10]), (x[:10].repeat(4, 1), y)]
    for points, labels in edges:
        leaf = points.clone().requires_grad_()
        value = loss(leaf, labels)
        value.backward()
        assert torch.isfinite(value)
        assert torch.isfinite(leaf.grad).all()
    torch._dynamo.reset()
    torch.default_generator.manual_seed(1)
    expected = loss(x, y)
    torch.default_generator.manual_seed(1)
    program = torch.compile(loss, fullgraph=True, backend="eager")
    torch.testing.assert_close(program(x.clone().requires_grad_(), y), expected)
    gradient = torch.vmap(torch.func.grad(lambda points: loss(points, y)), randomness="same")
    torch.default_generator.manual_seed(1)
    both = gradient(torch.stack([x, 2 * x]))
    torch.default_generator.manual_seed(1)
    leaf = x.clone().requires_grad_()
    loss(leaf, y).backward()
    torch.testing.assert_close(both[0], leaf.grad, rtol=1e-4, atol=1e-6)


def test_unusable_batches_give_a_differentiable_zero():
    x, y = circle_points()
    for labels in (torch.zeros_like(y), torch.arange(len(y))):
        for soft in (False, True):
            leaf = x.clone().requires_grad_()
            value = build("triplet", soft=soft)(leaf, labels)
            value.backward()
            assert value.item() == 0
            assert leaf.grad.abs().sum() == 0


def test_collapsed_points_cost_the_margin():
    y = torch.arange(20) % 10
    assert build("triplet", margin=0.7)(torch.ones(20, 2), y).item() == pytest.approx(0.7)
    assert build("triplet", soft=True)(torch.ones(20, 2), y).item() == pytest.approx(math.log(2))


def test_triplets_exactly_at_the_margin_do_not_count():
    """D_ap = 1, D_an = 2 and 1.5, m = 1: one triplet has loss 0.5, the other exactly 0, in any order."""
    x, y = torch.tensor([[0.0], [1.0], [-2.0], [-1.5]]), torch.tensor([0, 0, 1, 2])
    loss = build("triplet", dim=1, margin=1.0)
    # anchor 1 has the negatives at 3 and 2.5, beyond its margin; the others have no positive
    assert loss(x, y).item() == pytest.approx(0.5)
    assert loss(x.flip(0), y.flip(0)).item() == pytest.approx(0.5)


def test_soft_sum_is_streamed_in_pieces(monkeypatch):
    from lossbench.losses import triplet

    x, y = circle_points()
    whole = build("triplet", soft=True)(x, y)
    monkeypatch.setattr(triplet, "_STREAMED", 3 * 40 * 40 + 1)
    torch.testing.assert_close(build("triplet", soft=True)(x, y), whole, rtol=0, atol=1e-12)


def test_a_batch_of_1024_stays_under_a_gigabyte():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    x = torch.randn(1024, 2, requires_grad=True)
    build("triplet")(x, torch.arange(1024) % 10).backward()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # kilobytes


@settings(max_examples=25, deadline=None)
@given(
    st.integers(2, 12),
    st.integers(1, 3),
    st.sampled_from(["all", "semi-hard"]),
    st.sampled_from([0.0, 0.3, 2.0]),
    st.integers(0, 999),
)
def test_sorted_sums_equal_loops(size, dim, mining, margin, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(size, dim, generator=generator, dtype=torch.float64)
    y = torch.randint(0, 3, (size,), generator=generator)
    given_settings = {
        "mining": mining,
        "margin": margin,
        "soft": False,
        "squared": False,
        "normalized": False,
    }
    for reduction in ("all", "nonzero"):
        value = build("triplet", dim=dim, mining=mining, margin=margin, reduction=reduction)(x, y)
        expected = reference(x, y.tolist(), {}, **given_settings, reduction=reduction)
        torch.testing.assert_close(value, expected, rtol=0, atol=1e-12)
