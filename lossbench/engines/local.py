"""Runs on this machine: one after another in this process, or in parallel spawned workers.

A worker imports torch and loads the data once for all its runs, and uses its share of the cores. One
that dies takes nothing with it: its run is tried once more by a new worker, from its last saved state.
"""

from __future__ import annotations

import collections
import contextlib
import heapq
import multiprocessing
import multiprocessing.connection
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ..config import RunConfig
from ..contracts import Observer
from ..errors import DataError, Diverged, Interrupted, LossbenchError
from ..records import EpochRecord
from ..runtime import Placement, StopRequest, cores
from ..splits import splits_of
from ..store import Store
from ..training import seconds_of, train

_ATTEMPTS = 2
_STEP_MESSAGES = 0.2  # seconds between two messages about steps
_STARTUP = 4.0  # seconds, about, until a worker has imported torch and loaded the data
_GRACE = 10.0  # seconds for a worker to finish its step and save


class Outcome(NamedTuple):
    """What became of a run: done, diverged, failed or interrupted, and its result or the reason."""

    config: RunConfig
    status: str
    result: dict[str, Any] | None
    message: str


def run_all(
    configs: Sequence[RunConfig],
    store: Store,
    *,
    placement: Placement,
    workers: int,
    observer: Observer,
    stop: Callable[[], bool],
    force: bool = False,
) -> Iterator[Outcome]:
    """Train what is not complete and yield an outcome for each config, in the order of completion.

    A failing run does not stop the others. Once `stop` is true the running ones save their state and no
    other starts. Raises DataError before any training when the data set is not there.
    """
    waiting = []
    for config in configs:
        finished = None if force else _stored(config, store)
        if finished is None:
            waiting.append(config)
        else:
            yield finished
    for config in {(c.dataset, c.val_size, c.unseen, c.judged_on): c for c in waiting}.values():
        splits_of(config, placement.data_dir)  # fetched once, before anyone needs it
    if workers == 1 or len(waiting) == 1:
        for config in waiting:
            if stop():
                return
            yield _run(config, store, placement, observer, stop, force)
    elif waiting:
        yield from _Pool(store, placement, min(workers, len(waiting)), observer, stop, force).run(waiting)


class Plan(NamedTuple):
    """What is ahead: runs whose results are stored, runs to train, and about how many seconds that takes."""

    stored: int
    waiting: int
    seconds: float


def plan(
    configs: Sequence[RunConfig], store: Store, *, placement: Placement, workers: int, force: bool = False
) -> Plan:
    """Look before training: some steps of each kind of run are timed, at the threads it will have.

    Raises DataError when the data set is not there.
    """
    waiting = [config for config in configs if force or _stored(config, store) is None]
    at_once = max(1, min(workers, len(waiting)))
    share = placement._replace(threads=threads_each(placement, at_once))
    threads, paces = torch.get_num_threads(), dict[tuple[object, ...], float]()
    free = [_STARTUP if at_once > 1 else 0.0] * at_once  # when each worker can take its next run
    try:
        for config in waiting:
            kind = (config.network, config.dataset, config.feature_dim, config.batch_size)
            if kind not in paces:
                paces[kind] = _seconds_of_epoch(config, share)
            heapq.heapreplace(free, free[0] + paces[kind] * config.epochs)
    finally:
        torch.set_num_threads(threads)
    return Plan(len(configs) - len(waiting), len(waiting), max(free) if waiting else 0.0)


def _seconds_of_epoch(config: RunConfig, placement: Placement) -> float:
    """0 for a run that cannot be timed: it will not train either, and its outcome says why."""
    try:
        return seconds_of(config, placement) / config.epochs
    except DataError:
        raise
    except Exception:
        return 0.0


def threads_each(placement: Placement, workers: int) -> int | None:
    """Threads of each of so many workers at once; alone, what torch chooses."""
    return placement.threads or (max(1, cores() // workers) if workers > 1 else None)


def _stored(config: RunConfig, store: Store) -> Outcome | None:
    try:
        result = store.run(config).result()
    except LossbenchError as error:
        return Outcome(config, "failed", None, str(error))
    return None if result is None else Outcome(config, result["status"], result, "stored")


def _run(
    config: RunConfig,
    store: Store,
    placement: Placement,
    observer: Observer,
    stop: Callable[[], bool],
    force: bool,
) -> Outcome:
    """One run here and now; whatever goes wrong becomes an outcome, with a traceback in its log."""
    run = store.run(config)
    try:
        result = train(config, store, placement=placement, observer=observer, stop=stop, force=force)
        return Outcome(config, result["status"], result, "")
    except Diverged as error:
        return Outcome(config, "diverged", run.result(), str(error))
    except Interrupted as error:
        return Outcome(config, "interrupted", None, str(error))
    except LossbenchError as error:
        run.log(f"failed: {error}")
        return Outcome(config, "failed", None, str(error))
    except Exception as error:
        run.log(f"failed:\n{traceback.format_exc()}")
        return Outcome(
            config, "failed", None, f"{type(error).__name__}: {error} (see {run.path / 'log.txt'})"
        )


class _Worker(NamedTuple):
    process: multiprocessing.process.BaseProcess
    connection: Connection


class _Pool:
    """Workers that each hold one connection; a worker is busy while it is a key of `running`."""

    def __init__(
        self,
        store: Store,
        placement: Placement,
        size: int,
        observer: Observer,
        stop: Callable[[], bool],
        force: bool,
    ) -> None:
        share = placement._replace(threads=threads_each(placement, size))
        self.arguments = (store.root, share, force)
        self.size, self.observer, self.stop = size, observer, stop
        self.running: dict[_Worker, RunConfig] = {}
        self.attempts: collections.Counter[RunConfig] = collections.Counter()

    def run(self, configs: Sequence[RunConfig]) -> Iterator[Outcome]:
        """Yield the outcomes; leave no process behind, however this ends."""
        waiting = collections.deque(configs)
        idle = [self._start() for _ in range(self.size)]
        stopping_since = None
        try:
            while self.running or (waiting and not self.stop()):
                while idle and waiting and not self.stop():
                    self._give(idle.pop(), waiting.popleft())
                if self.stop() and stopping_since is None:
                    stopping_since = time.monotonic()
                    for worker in self.running:
                        worker.process.terminate()  # SIGTERM: finish the step, save
                if stopping_since is not None and time.monotonic() - stopping_since > _GRACE:
                    return
                for worker in self._ready():
                    outcome = self._receive(worker)
                    if outcome is None:
                        continue
                    config = self.running.pop(worker)
                    if outcome.status == "died":
                        worker.process.join()
                        idle.append(self._start())
                        if self.attempts[config] < _ATTEMPTS:
                            waiting.append(config)
                            continue
                        outcome = outcome._replace(status="failed")
                    else:
                        idle.append(worker)
                    yield outcome
        finally:
            for worker in [*idle, *self.running]:
                worker.connection.close()
                worker.process.join(timeout=1)
                if worker.process.is_alive():
                    worker.process.kill()
                    worker.process.join()

    def _start(self) -> _Worker:
        context = multiprocessing.get_context("spawn")  # a forked child cannot use CUDA
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, *self.arguments), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _give(self, worker: _Worker, config: RunConfig) -> None:
        self.attempts[config] += 1
        self.running[worker] = config
        with contextlib.suppress(OSError):  # a dead worker is noticed by `_receive`
            worker.connection.send(config)

    def _ready(self) -> list[_Worker]:
        by_connection = {worker.connection: worker for worker in self.running}
        ready = multiprocessing.connection.wait(list(by_connection), timeout=0.1)
        return [by_connection[connection] for connection in ready]  # type: ignore[index]

    def _receive(self, worker: _Worker) -> Outcome | None:
        """The worker's outcome, None while it only reports progress."""
        try:
            kind, *content = worker.connection.recv()
        except (EOFError, OSError):
            worker.process.join(timeout=1)
            code = worker.process.exitcode
            return Outcome(self.running[worker], "died", None, f"its worker process died (exit code {code})")
        if kind == "outcome":
            return Outcome(*content)
        getattr(self.observer, kind)(*content)
        return None


def _work(connection: Connection, root: Path, placement: Placement, force: bool) -> None:
    """A worker: take configs until the other end closes."""
    store, messenger = Store(root), _Messenger(connection)
    with StopRequest().watching() as stop, contextlib.suppress(EOFError, OSError):
        while True:
            config = connection.recv()
            stop.requested = False
            outcome = _run(config, store, placement, messenger, lambda: stop() or messenger.alone, force)
            connection.send(("outcome", *outcome))


class _Messenger:
    """The observer inside a worker: forwards to the sweep's process; `alone` once that is gone."""

    def __init__(self, connection: Connection) -> None:
        self.connection, self.alone, self._last = connection, False, 0.0

    def started(self, run: str, epochs: int, steps: int, done: int) -> None:
        self._send("started", run, epochs, steps, done)

    def stepped(self, run: str, steps: int) -> None:
        if time.monotonic() - self._last > _STEP_MESSAGES:
            self._last = time.monotonic()
            self._send("stepped", run, steps)

    def finished_epoch(self, run: str, record: EpochRecord) -> None:
        self._send("finished_epoch", run, record)

    def _send(self, *message: object) -> None:
        try:
            self.connection.send(message)
        except OSError:
            self.alone = True
