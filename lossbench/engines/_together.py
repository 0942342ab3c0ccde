"""Runs in this process: one after another, or on a GPU several that take each step together."""

from __future__ import annotations

import collections
import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Sequence

from ..protocols import Observer
from ..runs.config import RunConfig
from ..runs.outcome import Outcome
from ..runs.result import Status
from ..runs.store import Store
from ..training.cuda_graph import RunGroup
from ..training.process import Placement
from ._outcomes import run_here

PATIENCE = 0.5  # seconds until a run that another process was training is tried again


def run_together(
    configs: Sequence[RunConfig],
    store: Store,
    placement: Placement,
    observer: Observer,
    stop: Callable[[], bool],
    force: bool,
    size: int,
) -> Iterator[Outcome]:
    """Train up to `size` runs at a time and yield their outcomes in the order of completion.

    They may differ in anything; each is, bit for bit on a CPU, what it is alone, and one that fails or
    diverges does not affect the others. The next run begins as soon as there is room; one that another
    process trains is tried again when the others are over.
    """
    run = functools.partial(
        run_here, store=store, placement=placement, observer=observer, stop=stop, force=force
    )
    while configs and not stop():
        busy = []
        for outcome in _in_a_group(configs, run, stop, size) if size > 1 else _one_by_one(configs, run, stop):
            if outcome.status is Status.BUSY:
                busy.append(outcome.config)
            else:
                yield outcome
        if configs := busy:
            time.sleep(PATIENCE)


def _one_by_one(
    configs: Sequence[RunConfig], run: Callable[[RunConfig], Outcome], stop: Callable[[], bool]
) -> Iterator[Outcome]:
    for config in configs:
        if stop():
            return
        yield run(config)


def _in_a_group(
    configs: Sequence[RunConfig], run: Callable[..., Outcome], stop: Callable[[], bool], size: int
) -> Iterator[Outcome]:
    waiting = collections.deque(configs)
    with contextlib.closing(RunGroup[Outcome]()) as group:
        while len(group) or (waiting and not stop()):
            while waiting and len(group) < size and not stop():
                group.start(functools.partial(run, waiting.popleft()))
            yield from group.step()
