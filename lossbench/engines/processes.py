"""Runs in worker processes on this machine, each on a CPU thread unless it has more.

A worker imports torch and loads the data once for all its runs; one that ran user code trains nothing
else. If one dies, the others go on.
"""

from __future__ import annotations

import contextlib
import multiprocessing.connection
import time
import warnings
from collections.abc import Iterator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..records import EpochRecord
from ..runs.config import RunConfig
from ..runs.outcome import Outcome
from ..runs.result import Status
from ..runs.run_folder import RunFolder, differing
from ..runs.store import Store
from ..training.device import resolve_device
from ..training.process import Placement, StopRequest
from ._worker import Worker, start_worker, unblock_interrupts
from .in_process import train_here
from .scheduler import PAUSE, STEP_INTERVAL, Executor, ProgressMonitor

_EXIT_TIME = 1.0  # seconds for a worker to end by itself before it is killed


class ProcessExecutor(Executor):
    """Up to `size` workers; each trains one run at a time, and is started when it is first needed."""

    grace = 10.0  # seconds to finish a step and save

    def __init__(self, store: Store, placement: Placement, monitor: ProgressMonitor, size: int) -> None:
        share = placement.for_workers(size)
        self.store, self.arguments = store, (store.root, share)
        self.monitor, self.size = monitor, size
        self.idle: list[Worker] = []
        self.running: dict[Worker, RunConfig] = {}

    def capacity(self) -> int:
        """The number of workers."""
        return self.size

    def submit(self, config: RunConfig, force: bool) -> None:
        """Give a run to an idle or new worker."""
        worker = self.idle.pop() if self.idle else start_worker(_work, *self.arguments)
        self.running[worker] = config
        self.monitor.note(config.run_name)
        code = self.store.run(config).code_digests()
        with contextlib.suppress(OSError):  # poll finds a worker that is dead
            worker.connection.send((config, force, code))

    def poll(self) -> Iterator[Outcome]:
        """Receive one message from every worker that sent any."""
        workers = {worker.connection: worker for worker in self.running}
        for connection in multiprocessing.connection.wait(list(workers), timeout=PAUSE):
            outcome = self._receive(workers[connection])  # type: ignore[index]
            if outcome is not None:
                yield outcome

    def stop(self) -> None:
        """Send SIGTERM to all workers that train: finish the step, save."""
        for worker in self.running:
            worker.process.terminate()

    def kill(self, run_name: str) -> None:
        """Kill the worker of a run; `poll` then finds it dead."""
        for worker, config in self.running.items():
            if config.run_name == run_name:
                worker.process.kill()

    def close(self) -> None:
        """Close every connection, give the workers a moment, kill those that are still there."""
        workers = [*self.idle, *self.running]
        for worker in workers:
            worker.connection.close()
        deadline = time.monotonic() + _EXIT_TIME
        for worker in workers:
            worker.end(max(0.0, deadline - time.monotonic()))

    def _receive(self, worker: Worker) -> Outcome | None:
        """The outcome of the worker's run, None while it only reports progress."""
        config = self.running[worker]
        try:
            kind, *content = worker.connection.recv()
        except (EOFError, OSError):
            worker.process.join(timeout=1)
            reason = f"its worker process died (exit code {worker.process.exitcode})"
            kind, content = "outcome", [config, Status.DIED, None, reason]
        if kind != "outcome":
            getattr(self.monitor, kind)(*content)
            return None
        outcome = Outcome(*content)
        del self.running[worker]
        if outcome.status is Status.DIED or outcome.config.own_code:
            # one that ran out of memory is still alive; user code may have changed anything in it
            worker.end(0 if outcome.status is Status.DIED else _EXIT_TIME)
        else:
            self.idle.append(worker)
        return outcome


def needs_worker(config: RunConfig, placement: Placement) -> bool:
    """Whether a run has user code, which may end or change its process: it then trains in a worker even where
    it is the only run. Not for code of a script, nor on a GPU, which the runs of one process share."""
    own = bool(config.own_code) and not config.in_script
    return own and resolve_device(placement.device).type != "cuda"


def _work(connection: Connection, root: Path, placement: Placement) -> None:
    """Train runs until the other end closes."""
    store, reporter = Store(root), _Reporter(connection)
    setattr(warnings, "showwarning", reporter.show_warning)  # noqa: B010 (its type names each parameter)
    with StopRequest().watching() as stop, contextlib.suppress(EOFError, OSError):
        unblock_interrupts()
        while True:
            config, force, code = connection.recv()
            if stop():  # before there was anything to save
                outcome = Outcome(config, Status.INTERRUPTED, None, f"{config.run_name} did not begin.")
            elif problem := _code_problem(store.run(config), code):
                outcome = Outcome(config, Status.FAILED, None, problem)
            else:
                outcome = train_here(
                    config, store, placement, reporter, lambda: stop() or reporter.disconnected, force
                )
            connection.send(("outcome", *outcome))
            stop.requested = False


def _code_problem(run: RunFolder, code: Mapping[str, str]) -> str:
    """Why this process cannot train a run with the code that its command has; empty where it can."""
    try:
        changed = differing(code, run.code_digests())
    except UsageError as error:
        return str(error)
    return f"The code of {', '.join(changed)} has changed since the command began." if changed else ""


class _Reporter:
    """The observer inside a worker: sends progress to the scheduler's process."""

    def __init__(self, connection: Connection) -> None:
        self.connection, self.disconnected, self.last_step_message = connection, False, 0.0

    def started(self, run: str, epochs: int, steps: int, done: int) -> None:
        self._send("started", run, epochs, steps, done)

    def stepped(self, run: str, steps: int) -> None:
        if time.monotonic() - self.last_step_message > STEP_INTERVAL:
            self.last_step_message = time.monotonic()
            self._send("stepped", run, steps)

    def finished_epoch(self, run: str, record: EpochRecord) -> None:
        self._send("finished_epoch", run, record)

    def show_warning(self, message: Warning | str, *_: Any, **__: Any) -> None:
        """In place of the function of that name in the module `warnings`."""
        self._send("warned", str(message))

    def _send(self, *message: object) -> None:
        try:
            self.connection.send(message)
        except OSError:
            self.disconnected = True
