"""Random numbers of a purpose, which nothing else in the process changes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch

from lossbench.randomness import Randomness, derived_seed, seeded


@pytest.mark.parametrize("block", [lambda: seeded(0, "first"), lambda: Randomness(0, "first")])
def test_what_another_thread_draws_changes_nothing(block: Callable[[], AbstractContextManager[None]]) -> None:
    with block():
        expected = torch.rand(2).tolist()
    with seeded(1, "second"):
        of_other = torch.rand(1).tolist()
    before = torch.get_rng_state()
    other: list[float] = []
    entered, left = threading.Event(), threading.Event()

    def draw() -> None:
        with seeded(1, "second"):
            entered.set()
            left.wait(1)
            other.extend(torch.rand(1).tolist())

    thread = threading.Thread(target=draw)
    with block():
        drawn = torch.rand(1).tolist()
        thread.start()
        entered.wait(0.2)
        drawn += torch.rand(1).tolist()
    left.set()
    thread.join()
    assert (drawn, other) == (expected, of_other)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_seed_of_a_purpose_is_that_of_stored_runs() -> None:
    """63 bits of the SHA-256 of the seed and the purpose; another number would be other runs."""
    for arguments, text in (((0, "training"), "0/training"), ((7, "loss", "center", 2), "7/loss/center/2")):
        assert derived_seed(*arguments) == int(hashlib.sha256(text.encode()).hexdigest()[:16], 16) // 2
