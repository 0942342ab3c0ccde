"""SoftTriple against its equation, pytorch-metric-learning, and NormFace."""

from __future__ import annotations

import pytest
import torch

from .oracle import advance, assert_equals_library, assert_matches_reference, build, circle_points


def reference(x, y, state, *, scale, margin, gamma, tau, subcenters, soft_start):
    """Similarities shared by a softmax within each class, cross-entropy, and distances within classes."""
    rows = [w / w.square().sum().sqrt() for w in state["weight"]]
    classes = len(rows) // subcenters
    total = 0
    for i, label in enumerate(y):
        unit = x[i] / x[i].square().sum().sqrt()
        shares = []
        for j in range(classes):
            cosines = [(unit * rows[j * subcenters + k]).sum() for k in range(subcenters)]
            parts = [torch.exp(cosine / gamma) for cosine in cosines]
            similarity = sum(p * c for p, c in zip(parts, cosines, strict=True)) / sum(parts)
            shares.append(torch.exp(scale * (similarity - margin * (j == label))))
        total = total - torch.log(shares[label] / sum(shares))
    apart = 0
    for j in range(classes):
        for k in range(subcenters):
            for other in range(k + 1, subcenters):
                dot = (rows[j * subcenters + k] * rows[j * subcenters + other]).sum()
                apart = apart + torch.sqrt(2 + 1e-5 - 2 * dot)
    return total / len(y) + tau * apart / (classes * subcenters * max(subcenters - 1, 1))


@pytest.mark.parametrize(
    "settings",
    [{}, {"subcenters": 1}, {"subcenters": 3, "tau": 1.0, "gamma": 0.5}, {"margin": 0.2, "tau": 0.0}],
)
@pytest.mark.parametrize("dim", [2, 5])
def test_matches_reference(settings, dim):
    assert_matches_reference("softtriple", reference, dim=dim, **settings)


@pytest.mark.parametrize("subcenters", [1, 2, 4])
def test_matches_pytorch_metric_learning(subcenters):
    """Same value and gradients as SoftTripleLoss, whose directions are (D, C*K)."""
    from pytorch_metric_learning.losses import SoftTripleLoss

    ours = build("softtriple", subcenters=subcenters, tau=0.0, margin=0.05).double()
    theirs = SoftTripleLoss(10, 2, centers_per_class=subcenters, la=20, gamma=0.1, margin=0.05).double()
    assert_equals_library(ours, theirs)


def test_one_direction_without_margin_is_normface():
    x, y = circle_points()
    ours = build("softtriple", subcenters=1, margin=0.0, scale=16.0).double()
    theirs = build("normface", scale=16.0).double()
    torch.testing.assert_close(ours(x, y), theirs(x, y), rtol=0, atol=1e-12)


def test_the_distances_draw_the_directions_of_a_class_together():
    loss = build("softtriple", tau=10.0)
    optimizer = torch.optim.SGD(loss.parameters(), lr=0.05)
    x, y = circle_points()

    def mean_distance() -> float:
        first, second = torch.nn.functional.normalize(loss.weight.detach()).view(10, 2, 2).unbind(1)
        return (first - second).norm(dim=1).mean().item()

    before = mean_distance()
    for _ in range(50):
        optimizer.zero_grad()
        loss(x.float(), y).backward()
        optimizer.step()
    assert mean_distance() < before / 2


def test_soft_start_begins_with_free_lengths():
    loss = build("softtriple", soft_start=0.3, subcenters=1, tau=0.0)
    x, y = circle_points()
    advance(loss, 0.1)
    torch.testing.assert_close(loss(x.float(), y), build("modified-softmax")(x.float(), y))
