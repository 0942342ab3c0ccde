"""Sub-center ArcFace against its equation, pytorch-metric-learning, and ArcFace."""

from __future__ import annotations

import math

import pytest
import torch

from .oracle import advance, assert_equals_library, assert_matches_reference, build, circle_points


def reference(x, y, state, *, scale, margin, subcenters, soft_start):
    """The smallest of K angles per class, the margin on the own one; progress is 1."""
    total = 0
    for i, label in enumerate(y):
        scores = []
        for j in range(len(state["weight"]) // subcenters):
            angles = []
            for k in range(subcenters):
                w = state["weight"][j * subcenters + k]
                dot = sum(w[d] * x[i, d] for d in range(len(w)))
                angles.append(torch.acos(dot / (x[i].square().sum().sqrt() * w.square().sum().sqrt())))
            theta = min(angles, key=lambda each: each.item())
            if j != label:
                scores.append(scale * torch.cos(theta))
            elif theta + margin > math.pi:
                scores.append(scale * (torch.cos(theta) - margin * math.sin(margin)))
            else:
                scores.append(scale * torch.cos(theta + margin))
        total = total - scores[label] + torch.log(sum(torch.exp(score) for score in scores))
    return total / len(y)


OPTIONS = [
    {},
    {"subcenters": 3},
    {"scale": 10.0, "margin": 1.5, "subcenters": 2},
    {"scale": 7.0, "subcenters": 1},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("dim", [2, 5])
def test_matches_reference(options, dim):
    assert_matches_reference("subcenter-arcface", reference, dim=dim, **options)


@pytest.mark.parametrize("margin", [0.0, 0.2, 0.5, 1.5])
def test_matches_pytorch_metric_learning(margin):
    """The large margin takes some angles past pi - m."""
    from pytorch_metric_learning.losses import SubCenterArcFaceLoss

    ours = build("subcenter-arcface", scale=16.0, margin=margin, subcenters=3).double()
    theirs = SubCenterArcFaceLoss(
        num_classes=10, embedding_size=2, margin=math.degrees(margin), scale=16.0, sub_centers=3
    ).double()
    assert_equals_library(ours, theirs)


@pytest.mark.parametrize("progress", [0.1, 0.4, 1.0])
def test_one_direction_per_class_is_arcface_bit_for_bit(progress):
    settings = {"scale": 20.0, "margin": 0.3}
    ours = build("subcenter-arcface", subcenters=1, **settings)
    arcface = build("arcface", **settings)
    for loss in (ours, arcface):
        advance(loss, progress)
    x, y = circle_points()
    x = x.float()
    assert torch.equal(ours.weight, arcface.weight)
    assert torch.equal(ours(x, y), arcface(x, y))
    assert torch.equal(ours.logits(x), arcface.logits(x))


def test_equal_directions_within_a_class_are_arcface():
    settings = {"scale": 20.0, "margin": 0.3}
    ours = build("subcenter-arcface", subcenters=3, **settings).double()
    arcface = build("arcface", **settings).double()
    ours.weight.data = arcface.weight.data.repeat_interleave(3, 0)
    x, y = circle_points()
    torch.testing.assert_close(ours(x, y), arcface(x, y), rtol=0, atol=1e-12)


def test_a_class_with_two_opposite_clusters_is_no_loss():
    """Clusters at 0 and 180 degrees share class 0: two directions hold both, one cannot."""
    x = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    y = torch.tensor([0, 0, 1])
    two = build("subcenter-arcface", classes=2, scale=30.0, margin=0.2, subcenters=2)
    two.weight.data = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, 2.0]])
    one = build("subcenter-arcface", classes=2, scale=30.0, margin=0.2, subcenters=1)
    one.weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert two(x, y) < 1e-6
    assert one(x, y) > 5
    assert torch.equal(two.logits(x).argmax(1), y)


def test_only_the_nearest_own_direction_is_pulled():
    loss = build("subcenter-arcface", classes=2, subcenters=2)
    loss.weight.data = torch.tensor([[1.0, 0.2], [-1.0, 0.1], [0.3, 1.0], [0.3, -1.0]])
    loss(torch.tensor([[1.0, 0.5]]), torch.tensor([0])).backward()
    assert loss.weight.grad[0].abs().sum() > 0
    assert torch.equal(loss.weight.grad[1], torch.zeros(2))
