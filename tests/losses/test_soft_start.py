"""A soft start begins and ends with the training, and costs nothing once it is over."""

import pytest
import torch
import torch.nn.functional as F

from lossbench.losses._weighted_sum import WeightedSum
from lossbench.specs import catalog

from .oracle import advance, build, circle_points

SOFT = [name for name in catalog.names("losses") if "soft_start" in catalog.spec("losses", name).settings]

FROM_MODIFIED_SOFTMAX = [
    ("adaface", {"rate": 0.0}), ("arcface", {}), ("circle", {}), ("combined-margin", {}), ("magface", {}),
    ("mv-softmax", {}), ("normface", {}), ("normface", {"learnable": True}), ("proxy-anchor", {}),
    ("proxy-nca", {}), ("proxy-nca", {"positive_included": True}), ("sface", {}), ("sphereface2", {}),
    ("uniface", {}),
]  # fmt: skip
"""Losses whose class weights are directions, and that change no state of theirs in a step."""


@pytest.mark.parametrize(("name", "settings"), FROM_MODIFIED_SOFTMAX)
def test_it_is_the_modified_softmax_first_and_the_paper_in_the_end(name, settings):
    loss = build(name, soft_start=0.3, **settings)
    x, y = circle_points()
    x = x.float()
    final = loss(x, y)
    unit = loss.weight / loss.weight.norm(dim=1, keepdim=True)
    advance(loss, 0.1)
    torch.testing.assert_close(loss(x, y), F.cross_entropy(x @ unit.T, y))
    if name in ("circle", "combined-margin", "normface", "proxy-nca"):
        advance(loss, 0.3)  # the scale is the paper's, the margin comes next
        torch.testing.assert_close(loss(x, y), F.cross_entropy(loss.logits(x), y))
    advance(loss, 0.6)
    assert torch.equal(loss(x, y), final)
    paper = build(name, soft_start=0.0, **settings)
    advance(paper, 0.0)
    assert torch.equal(paper(x, y), final)


@pytest.mark.parametrize("name", SOFT)
def test_only_the_training_loop_starts_softly(name):
    x, y = circle_points()
    paper, loss = build(name, soft_start=0.0).double().eval(), build(name, soft_start=0.3).double().eval()
    loss.load_state_dict(paper.state_dict())
    whole, expected = WeightedSum({name: loss}, [1.0]), paper(x, y)
    torch.testing.assert_close(loss(x, y), expected, rtol=0, atol=1e-10)
    whole.advance(0.1)
    assert float(loss.progress) == pytest.approx(0.1)
    assert not torch.isclose(loss(x, y), expected)
    for over in (0.6, 1.0):
        whole.advance(over)
        torch.testing.assert_close(loss(x, y), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", SOFT)
def test_leaving_out_what_is_over_changes_nothing(name):
    x, y = circle_points()
    loss = build(name, soft_start=0.3).double().eval()
    whole = WeightedSum({name: loss}, [1.0])
    whole.advance(0.59)
    assert loss.starting
    loss.progress.fill_(0.6)
    with_start = loss(x, y)
    whole.advance(0.6)
    assert not loss.starting
    torch.testing.assert_close(loss(x, y), with_start, rtol=0, atol=1e-12)


def test_training_is_told_when_a_step_changes():
    """A recorded step is recorded again then, and no other time."""
    whole = WeightedSum({name: build(name, soft_start=0.3) for name in ("arcface", "cosface")}, [1.0, 1.0])
    assert [whole.advance(done) for done in (0.0, 0.1, 0.59, 0.6, 0.9, 1.0)] == [
        True,
        False,
        False,
        True,
        False,
        False,
    ]
    assert not any(
        WeightedSum({"softmax": build("softmax")}, [1.0]).advance(done) for done in (0.0, 0.5, 1.0)
    )
