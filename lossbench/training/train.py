"""One run from its config to its result: the stored one, else that of training it, from its last state."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from typing import Any

from ..errors import Diverged
from ..protocols import Observer
from ..runs.config import RunConfig
from ..runs.store import Store
from .cuda_graph import Steps
from .process import Placement, prepare_process
from .trainer import Training

Turns = Generator[Training, None, dict[str, Any]]


def train(
    config: RunConfig,
    store: Store,
    *,
    placement: Placement,
    observer: Observer,
    stop: Callable[[], bool],
    force: bool = False,
) -> dict[str, Any]:
    """The result of a run: the stored one, or that of training it now (from its last state, if any).

    `stop` is asked after every step. Raises Interrupted (state saved), Diverged (result stored), or another
    LossbenchError; a run being trained by another process is a RunError.
    """
    with contextlib.closing(turns_of(config, store, placement, observer, stop, force)) as turns:
        return to_the_end(turns)


def to_the_end(turns: Turns) -> dict[str, Any]:
    """Take each step of a training when it is due, alone."""
    try:
        training, steps = next(turns), Steps()
        while True:
            failed = steps.take([training])
            turns.throw(failed[training]) if failed else next(turns)
    except StopIteration as end:
        result: dict[str, Any] = end.value
        return result


def turns_of(
    config: RunConfig,
    store: Store,
    placement: Placement,
    observer: Observer,
    stop: Callable[[], bool],
    force: bool,
) -> Turns:
    """What `train` does but for the steps: the training is yielded when one is due, so several take turns."""
    run = store.run(config)
    stored = None if force else run.result()
    if stored is None:
        prepare_process(placement.threads)
        # before anything is written: a device or data set that is not there leaves no trace
        training = Training(run, placement, observer, stop)
        store.check_writable()
        with run.lock():
            if force:
                run.clear()
            if (stored := run.result()) is None:
                run.begin()
                stored = yield from training.turns()
    if stored["status"] == "diverged":
        raise Diverged(f"{run.name} diverged in epoch {stored['epoch']}: its loss became NaN or infinite.")
    return stored
