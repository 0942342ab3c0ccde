"""Runs on this machine: one after another in this process, together on a GPU, or in parallel workers.

A worker has torch and the data once for all its runs, and uses its share of the cores. One that dies takes
nothing with it: its run is tried once more by a new worker, from its last saved state. A run that another
process trains comes last: by then its result is there, or its turn has come.
"""

from __future__ import annotations

import collections
import contextlib
import math
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..protocols import Observer
from ..records import EpochRecord
from ..runs.config import RunConfig
from ..runs.outcome import Outcome
from ..runs.result import Status
from ..runs.store import Store
from ..training.device import resolve_device
from ..training.process import Placement, StopRequest, threads_each
from ._outcomes import data_of, run_here, sorted_out, while_there_is_hope
from ._together import PATIENCE, run_together

if TYPE_CHECKING:  # Windows has but one of them
    from multiprocessing.context import ForkServerContext, SpawnContext

_ATTEMPTS = 2
_STEP_MESSAGES = 0.2  # seconds between two messages about steps
_SILENCE = 600.0  # seconds without a word from a worker after which it counts as hung
_GRACE = 10.0  # seconds for a worker to finish its step and save
_FAREWELL = 1.0  # seconds for idle workers to end by themselves
_PRELOADED = f"{__package__}._preloaded"


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

    A failing run does not stop the others, three in a row that fail for one reason do: RunError. Once `stop`
    is true the running ones save their state and no other starts. Raises DataError before any training
    when the data set is not there.
    """
    yield from while_there_is_hope(_outcomes(configs, store, placement, workers, observer, stop, force))


def _outcomes(
    configs: Sequence[RunConfig],
    store: Store,
    placement: Placement,
    workers: int,
    observer: Observer,
    stop: Callable[[], bool],
    force: bool,
) -> Iterator[Outcome]:
    finished, waiting = sorted_out(configs, store, force)
    yield from finished
    data_of(waiting, placement.data_dir)
    if workers == 1 or len(waiting) == 1 or resolve_device(placement.device).type == "cuda":
        yield from run_together(waiting, store, placement, observer, stop, force, size=workers)
    elif waiting:
        yield from _Pool(store, placement, min(workers, len(waiting)), observer, stop, force).run(waiting)


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
        self.arguments = (dict(os.environ), store.root, share, force)
        self.size, self.observer, self.stop = size, observer, stop
        self.running: dict[_Worker, RunConfig] = {}
        self.heard: dict[_Worker, float] = {}
        self.attempts: collections.Counter[RunConfig] = collections.Counter()
        self.busy_at: dict[RunConfig, float] = {}

    def run(self, configs: Sequence[RunConfig]) -> Iterator[Outcome]:
        """Yield the outcomes; leave no process behind, however this ends."""
        waiting = collections.deque(configs)
        idle = [self._start() for _ in range(self.size)]
        stopping_since = None
        try:
            while self.running or (waiting and not self.stop()):
                while idle and not self.stop() and (config := self._due(waiting)):
                    self._give(idle.pop(), config)
                if self.stop() and stopping_since is None:
                    stopping_since = time.monotonic()
                    for worker in self.running:
                        worker.process.terminate()  # SIGTERM: finish the step, save
                if stopping_since is not None and time.monotonic() - stopping_since > _GRACE:
                    return
                self._kill_silent()
                for worker in self._ready():
                    outcome = self._receive(worker)
                    if outcome is None:
                        continue
                    config = self.running.pop(worker)
                    if outcome.status is Status.INTERRUPTED and not self.stop():  # by somebody else
                        outcome = outcome._replace(status=Status.DIED)
                    if outcome.status is Status.DIED:
                        worker.connection.close()
                        worker.process.kill()  # one out of memory still lives
                        worker.process.join()
                        if stopping_since is None:
                            idle.append(self._start())
                    else:
                        idle.append(worker)
                    if outcome.status is Status.BUSY or (
                        outcome.status is Status.DIED and self.attempts[config] < _ATTEMPTS
                    ):
                        waiting.append(config)
                    else:
                        yield outcome
        finally:
            _end([*idle, *self.running])

    def _due(self, waiting: collections.deque[RunConfig]) -> RunConfig | None:
        """The first run that was not another process's a moment ago, taken out of those waiting."""
        earliest = time.monotonic() - PATIENCE
        for config in waiting:
            if self.busy_at.get(config, -math.inf) < earliest:
                waiting.remove(config)
                return config
        return None

    def _start(self) -> _Worker:
        context = _context()
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, *self.arguments), daemon=True)
        with _signals_later():
            process.start()
        theirs.close()
        return _Worker(process, ours)

    def _give(self, worker: _Worker, config: RunConfig) -> None:
        self.attempts[config] += 1
        self.running[worker], self.heard[worker] = config, time.monotonic()
        with contextlib.suppress(OSError):  # a dead worker is noticed by `_receive`
            worker.connection.send(config)

    def _kill_silent(self) -> None:
        """A hung worker is killed; `_receive` then finds it dead, and its run is tried again."""
        for worker in self.running:
            if time.monotonic() - self.heard[worker] > _SILENCE:
                worker.process.kill()

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
            silent = time.monotonic() - self.heard[worker] > _SILENCE
            why = f"hung for {_SILENCE:.0f} s" if silent else f"died (exit code {worker.process.exitcode})"
            return Outcome(self.running[worker], Status.DIED, None, f"its worker process {why}")
        self.heard[worker] = time.monotonic()
        if kind == "outcome":
            outcome = Outcome(*content)
            if outcome.status is Status.BUSY:
                self.busy_at[outcome.config] = time.monotonic()
                self.attempts[outcome.config] -= 1
            return outcome
        getattr(self.observer, kind)(*content)
        return None


def _context() -> ForkServerContext | SpawnContext:
    """Workers are forked from a server that imports for all and computes nothing; spawned but on Linux.

    They start sooner and share the pages of the libraries. Forked from here they would inherit our threads'
    locks, and could not use CUDA.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_PRELOADED])
    return context


def _end(workers: Sequence[_Worker]) -> None:
    """Close every connection, wait a moment for all together, kill who is still there."""
    for worker in workers:
        worker.connection.close()
    deadline = time.monotonic() + _FAREWELL
    for worker in workers:
        worker.process.join(timeout=max(0.0, deadline - time.monotonic()))
        worker.process.kill()
        worker.process.join()


@contextlib.contextmanager
def _signals_later() -> Iterator[None]:
    """Hold Ctrl-C back inside the block: a process born in it does not hear one before it is ready to."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # the first process would start it, and that lets the signals through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(
    connection: Connection, environment: Mapping[str, str], root: Path, placement: Placement, force: bool
) -> None:
    """A worker: take configs until the other end closes."""
    os.environ.clear()  # that of the server's start, which may be long ago
    os.environ.update(environment)
    store, messenger = Store(root), _Messenger(connection)
    with StopRequest().watching() as stop, contextlib.suppress(EOFError, OSError):
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        while True:
            config = connection.recv()
            if stop():  # before it had anything to save
                outcome = Outcome(config, Status.INTERRUPTED, None, f"{config.run_name} did not begin.")
            else:
                outcome = run_here(
                    config, store, placement, messenger, lambda: stop() or messenger.alone, force
                )
            connection.send(("outcome", *outcome))
            stop.requested = False


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
