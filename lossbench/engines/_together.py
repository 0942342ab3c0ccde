"""Runs that train together in this process, step by step: on a GPU a pack of them is one recorded program."""

from __future__ import annotations

import collections
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..protocols import Observer
from ..runs.config import RunConfig
from ..runs.store import Store
from ..training.cuda_graph import Steps
from ..training.process import Placement
from ..training.train import Turns, turns_of
from ..training.trainer import Training
from ._outcomes import Outcome, outcome_of

PATIENCE = 0.5  # seconds until a run that another process was training is looked at again


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
    diverges leaves the others as they are. The next run begins as soon as there is room; one that another
    process trains comes when some of these are over.
    """
    waiting, busy, steps = collections.deque(configs), list[RunConfig](), Steps()
    going: dict[Turns, RunConfig] = {}
    due: dict[Turns, Training] = {}
    failed: dict[Any, Exception] = {}
    try:
        while going or ((waiting or busy) and not stop()):
            if busy and not going:
                time.sleep(PATIENCE)
                waiting.extend(busy)
                busy.clear()
            while waiting and len(going) < size and not stop():
                config = waiting.popleft()
                going[turns_of(config, store, placement, observer, stop, force)] = config
            for turns, config in list(going.items()):
                found = _turn(config, store, turns, failed.get(due.pop(turns, None)))
                if isinstance(found, Training):
                    due[turns] = found
                    continue
                del going[turns]
                if found.status == "busy":
                    busy.append(config)
                else:
                    yield found
            failed = steps.take(list(due.values()))
    finally:
        for turns in going:
            turns.close()


def _turn(config: RunConfig, store: Store, turns: Turns, error: Exception | None) -> Training | Outcome:
    """What the run does between two steps: the training when the next is due, else its outcome."""
    due: list[Training] = []

    def work() -> dict[str, Any]:
        try:
            due.append(turns.throw(error) if error else next(turns))
        except StopIteration as end:
            result: dict[str, Any] = end.value
            return result
        return {"status": "in training"}

    outcome = outcome_of(config, store, work)
    return due[0] if due else outcome
