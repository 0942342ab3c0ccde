"""LDAM against its equation, CosFace for balanced classes, and counts from outside."""

from __future__ import annotations

import pytest
import torch

from lossbench.losses import LDAM

from .oracle import advance, assert_matches_reference, build, circle_points

COUNTS = [5000.0, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]


def reference(x, y, state, *, scale, margin, soft_start):
    """Cosines by loops, less the margin of the own class, which is n^(-1/4) scaled to the largest margin."""
    total = 0
    roots = [count**-0.25 for count in state["counts"].tolist()]
    for i, label in enumerate(y):
        shares = []
        for j, w in enumerate(state["weight"]):
            dot = sum(w[d] * x[i, d] for d in range(len(w)))
            cosine = dot / (x[i].square().sum().sqrt() * w.square().sum().sqrt())
            shares.append(torch.exp(scale * (cosine - margin * roots[j] / max(roots) * (j == label))))
        total = total - torch.log(shares[label] / sum(shares))
    return total / len(y)


def with_counts(loss):
    loss.counts.copy_(torch.tensor(COUNTS))


@pytest.mark.parametrize("settings", [{}, {"scale": 30.0, "margin": 0.5}, {"margin": 0.0}])
@pytest.mark.parametrize("dim", [2, 5])
@pytest.mark.parametrize("prepare", [None, with_counts])
def test_matches_reference(settings, dim, prepare):
    assert_matches_reference("ldam", reference, dim=dim, prepare=prepare, **settings)


def test_balanced_classes_make_it_cosface():
    x, y = circle_points()
    ours = build("ldam", scale=16.0, margin=0.2)
    theirs = build("cosface", scale=16.0, margin=0.2)
    assert torch.equal(ours(x.float(), y), theirs(x.float(), y))


def test_the_rarest_class_has_the_largest_margin():
    """Sixteen times as many samples halve the margin."""
    loss = LDAM(2, 2, counts=torch.tensor([16.0, 1.0]), margin=0.4, scale=10.0)
    torch.testing.assert_close(loss.margins(), torch.tensor([0.2, 0.4]))


def test_soft_start_raises_the_margins():
    loss = build("ldam", scale=20.0, margin=0.2, soft_start=0.25)
    x, y = circle_points()
    advance(loss, 0.375)
    expected = build("cosface", scale=20.0, margin=0.1)(x.float(), y)
    torch.testing.assert_close(loss(x.float(), y), expected)
