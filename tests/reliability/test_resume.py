"""10 epochs are any split into interrupted parts, bit for bit, for every loss that keeps state."""

from __future__ import annotations

import itertools
import random

import pytest
import torch

from lossbench.errors import Interrupted
from lossbench.runs.model import build
from lossbench.runs.store import Store
from lossbench.specs import catalog
from lossbench.training.checkpoint import load_state

from ..helpers.runs import Recorder, run, small
from .results_folders import check_ended, contents

EPOCHS, STEPS = 10, 2
QUICK = {"epochs": EPOCHS, "batch_size": 50, "unseen": "2,3,4,5,6,7,8,9"}


def with_state():
    """Losses with state that no gradient trains: centers, look-up tables, annealing, adaptive scales."""
    return [name for name in catalog.names("losses") if list(build(small(name, **QUICK))[1].buffers())]


LOSSES = with_state()


def test_the_catalogue_has_losses_with_every_kind_of_state():
    kept = {
        key.rpartition(".")[2] for name in LOSSES for key, _ in build(small(name, **QUICK))[1].named_buffers()
    }
    assert {"centers", "progress"} < kept
    assert len(LOSSES) > 10


def state_after(config, folder, steps):
    """The resume state that a run has when it is interrupted after so many steps, by whatever way."""
    done = 0
    for until in sorted(steps):
        with pytest.raises(Interrupted):
            run(config, folder, Recorder(until - done))
        done = until
    content = Store(folder).run(config).read_bytes("resume.pt")
    return load_state(content, "here")


def assert_equal(one, other, at=""):
    """Everything in two states but what a clock said: network, loss, optimizer, sums, generators, records."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), at
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), at
        for key in one.keys() - {"seconds"}:
            assert_equal(one[key], other[key], f"{at}/{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), at
        for number, pair in enumerate(zip(one, other, strict=True)):
            if not (at.startswith("/records/") and number in (5, 6)):  # seconds, images per second
                assert_equal(*pair, f"{at}/{number}")
    else:
        assert one == other or one != one, at


@pytest.mark.parametrize(
    ("name", "sampler"),
    [
        ("center", "shuffled"),
        *(
            pytest.param(name, ("shuffled", "balanced")[number % 2], marks=pytest.mark.slow)
            for number, name in enumerate(LOSSES)
        ),
    ],
)
def test_any_split_is_the_whole(tmp_path, count, name, sampler):
    config, chance = small(name, sampler=sampler, seed=3, **QUICK), random.Random(f"{name} {sampler}")
    run(config, tmp_path / "whole")
    points = sorted(chance.sample(range(1, EPOCHS * STEPS), chance.randint(2, 5)))
    state = state_after(config, tmp_path / "parts", points)
    assert_equal(state_after(config, tmp_path / "one part", points[-1:]), state)
    run(config, tmp_path / "parts")
    check_ended(tmp_path / "parts", 1)
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole"), points
    count("splits of 10 epochs compared bit for bit")


def test_epochs_of_one_step_can_be_interrupted(tmp_path):
    config = small("center", epochs=4, batch_size=100, unseen=QUICK["unseen"])
    run(config, tmp_path / "whole")
    state = state_after(config, tmp_path / "parts", [1, 3])
    assert (state["epoch"], state["step"]) == (3, 0)
    run(config, tmp_path / "parts")
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


@pytest.mark.slow
def test_every_split_of_a_short_run(tmp_path, count):
    """All subsets of the steps at which a run can be interrupted."""
    config = small("center", epochs=5, batch_size=20, unseen=QUICK["unseen"])
    run(config, tmp_path / "whole")
    points = (1, 7, 13, 19)
    for size in range(1, len(points) + 1):
        for chosen in itertools.combinations(points, size):
            folder = tmp_path / "-".join(map(str, chosen))
            state_after(config, folder, chosen)
            run(config, folder)
            assert contents(folder) == contents(tmp_path / "whole"), chosen
            count("splits of a run compared bit for bit")


def test_the_comparison_would_notice(tmp_path):
    config, other = small("center", **QUICK), small("center", **{**QUICK, "seed": 1})
    one, same, moved = (
        state_after(c, tmp_path / n, [3]) for c, n in ((config, "a"), (config, "b"), (other, "c"))
    )
    assert_equal(one, same)
    for key in ("network", "optimizer", "random"):
        with pytest.raises(AssertionError):
            assert_equal({key: one[key]}, {key: moved[key]})
