"""Runs in worker processes on this machine, each on a CPU thread unless it has more.

A worker imports torch and loads the data once for all its runs; one that ran code of a user trains nothing
else. If one dies, the others go on.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import UsageError
from ..records import EpochRecord, Result
from ..runs.config import RunConfig
from ..runs.outcome import Outcome
from ..runs.result import Status
from ..runs.run_folder import RunFolder, differing
from ..runs.store import Store
from ..specs.plugins import end_with_threads
from ..training.device import resolve_device
from ..training.process import STOP_SIGNALS, Placement, StopRequest
from .in_process import train_here
from .scheduler import PAUSE, SILENCE_LIMIT, STEP_INTERVAL, Executor, ProgressMonitor

if TYPE_CHECKING:  # Windows has only one of them
    from multiprocessing.context import ForkServerContext, SpawnContext

_BLOCKED = set(STOP_SIGNALS) - {signal.SIGTERM}  # until a worker handles them
_STARTING = threading.Lock()  # the start of a worker changes the working directory for a moment
_PAUSES = (0.1, 0.4, 1.5)  # seconds between two trials to start a worker
_EXIT_TIME = 1.0  # seconds for a worker to end by itself before it is killed


class Worker(NamedTuple):
    """A worker process and this process's end of the connection to it."""

    process: multiprocessing.process.BaseProcess
    connection: Connection


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
        worker = self.idle.pop() if self.idle else _start_worker(_work, *self.arguments)
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
            worker.process.join(timeout=max(0.0, deadline - time.monotonic()))
            worker.process.kill()
            worker.process.join()

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
            # one that ran out of memory is still alive; code of a user may have changed anything in it
            worker.connection.close()
            worker.process.join(0 if outcome.status is Status.DIED else _EXIT_TIME)
            worker.process.kill()
            worker.process.join()
        else:
            self.idle.append(worker)
        return outcome


def needs_worker(config: RunConfig, placement: Placement) -> bool:
    """Whether a run has code of a user, which may end its process or change it: it trains in a worker, also
    where it trains alone. Not with what is of a script, nor on a GPU, which the runs of one process share."""
    own = bool(config.own_code) and not config.in_script
    return own and resolve_device(placement.device).type != "cuda"


def call_in_worker(function: Callable[..., Result], *arguments: object) -> Result | None:
    """What a function of a module returns in a process of its own, which code of a user cannot take this one
    with; None where it raises, dies or takes too long."""
    worker = _start_worker(_call, function, arguments)
    try:
        value: Result | None = worker.connection.recv() if worker.connection.poll(SILENCE_LIMIT) else None
        return value
    except (EOFError, OSError):
        return None
    finally:
        worker.connection.close()
        worker.process.kill()
        worker.process.join()


def _start_worker(target: Callable[..., None], *arguments: object) -> Worker:
    """A process that calls `target` with the other end of a connection and the arguments."""
    # a Python process that starts searches the folder that it is in first; a file there may be named like
    # a module of the libraries. Workers take over `sys.path` of this process
    with _STARTING:
        folder = os.getcwd()
        os.chdir(os.path.abspath(os.sep))
        try:
            with _interrupts_blocked(), _without_main():
                context = _context()
                ours, theirs = context.Pipe()
                process = _start_process(context, (target, theirs, folder, dict(os.environ), *arguments))
        finally:
            os.chdir(folder)
    theirs.close()
    return Worker(process, ours)


def _context() -> ForkServerContext | SpawnContext:
    """On Linux workers are forked from a server that has imported the libraries and computes nothing.

    They start sooner and share the pages of the libraries. Forked from this process they would inherit the
    locks of its threads, and could not use CUDA. On other systems they are spawned; also where the server
    cannot have its socket, as in a folder of temporary files with too long a path.
    """
    if sys.platform == "linux":
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([f"{__package__}._worker_imports"])
        with contextlib.suppress(OSError):
            forkserver.ensure_running()
            return context
    return multiprocessing.get_context("spawn")


def _start_process(
    context: ForkServerContext | SpawnContext, arguments: tuple[object, ...]
) -> multiprocessing.process.BaseProcess:
    """A worker that has started. A server that was killed is replaced, once the system has ended it."""
    for pause in (*_PAUSES, None):
        process = context.Process(target=_begin, args=arguments, daemon=True)
        try:
            process.start()
            break
        except (EOFError, OSError):
            if pause is None:
                raise
            time.sleep(pause)
    return process


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Block the signals to stop, but SIGTERM, so that a process that starts can handle them first."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # the first process would start it, and that unblocks the signals
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Hide the module `__main__`: a worker would import it, and with it run a script from its beginning."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _begin(
    target: Callable[..., None],
    connection: Connection,
    folder: str,
    environment: Mapping[str, str],
    *arguments: object,
) -> None:
    """What a worker does: call `target` in the folder and environment of its command."""
    os.chdir(folder)
    os.environ.clear()  # that of the server's start, which may be long ago
    os.environ.update(environment)
    sys.stdout = sys.stderr  # what code of a user prints is no result
    target(connection, *arguments)
    end_with_threads(0)


def _call(connection: Connection, function: Callable[..., object], arguments: tuple[object, ...]) -> None:
    """Send what a function returns, None where it raises."""
    value = None
    with contextlib.suppress(BaseException):  # code of a user may raise anything
        value = function(*arguments)
    connection.send(value)


def _work(connection: Connection, root: Path, placement: Placement) -> None:
    """Train runs until the other end closes."""
    store, reporter = Store(root), _Reporter(connection)
    setattr(warnings, "showwarning", reporter.show_warning)  # noqa: B010 (its type names each parameter)
    with StopRequest().watching() as stop, contextlib.suppress(EOFError, OSError):
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _BLOCKED)
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
