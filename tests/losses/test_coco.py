"""COCO against its equation, pytorch-metric-learning, and NormFace."""

from __future__ import annotations

import math

import pytest
import torch

from lossbench.specs import catalog
from lossbench.specs.feasibility import best_probability

from .oracle import advance, assert_equals_library, assert_matches_reference, build, circle_points


def reference(x, y, state, *, scale, soft_start):
    """-log of the own share of exp(s cos), features and weights put at length one; progress is 1."""
    total = 0
    for i, label in enumerate(y):
        length = torch.sqrt(sum(component**2 for component in x[i]))
        shares = []
        for w in state["weight"]:
            size = torch.sqrt(sum(component**2 for component in w))
            shares.append(torch.exp(sum(scale * x[i, d] / length * w[d] / size for d in range(len(w)))))
        total = total - torch.log(shares[label] / sum(shares))
    return total / len(y)


@pytest.mark.parametrize("options", [{}, {"scale": 6.25}])
@pytest.mark.parametrize("dim", [2, 5])
def test_matches_reference(options, dim):
    assert_matches_reference("coco", reference, dim=dim, **options)


def test_matches_pytorch_metric_learning():
    from pytorch_metric_learning.losses import NormalizedSoftmaxLoss

    ours = build("coco", scale=6.25).double()
    theirs = NormalizedSoftmaxLoss(10, 2, temperature=1 / 6.25).double()
    assert_equals_library(ours, theirs)


@pytest.mark.parametrize("progress", [0.1, 0.5, 1.0])
def test_is_normface_of_the_same_scale_bit_for_bit(progress):
    x, y = circle_points()
    x = x.float()
    coco, normface = build("coco", scale=8.7), build("normface", scale=8.7)
    advance(coco, progress)
    advance(normface, progress)
    assert torch.equal(coco(x, y), normface(x, y))
    assert torch.equal(coco.logits(x), normface.logits(x))


def test_scale_of_the_paper_reaches_its_loss_on_orthogonal_directions_but_not_in_the_plane():
    """The rule, its value in the SPEC, and the probabilities that the documentation names."""
    rule = math.log(9 / 1e-4) / 2 + 3
    assert f"{rule:.1f}" == "8.7"
    assert "8.7 for C = 10" in catalog.spec("losses", "coco").settings["scale"].paper
    loss = build("coco", dim=10, scale=rule).double()
    loss.weight.data = torch.eye(10, dtype=torch.float64)
    assert loss(torch.eye(10, dtype=torch.float64), torch.arange(10)) < 2e-3
    assert best_probability(10, 2, rule) == pytest.approx(0.72, abs=0.01)
    assert best_probability(10, 2, build("coco").scale) == pytest.approx(0.91, abs=0.01)
