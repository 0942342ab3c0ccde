"""Worker processes on this machine: each starts in the folder and environment of its command, handles signals
from the start, and calls one function."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from ..records import Result
from ..specs.plugins import end_with_threads
from ..training.process import STOP_SIGNALS
from .scheduler import SILENCE_LIMIT

if TYPE_CHECKING:  # Windows has only one of them
    from multiprocessing.context import ForkServerContext, SpawnContext

_BLOCKED = set(STOP_SIGNALS) - {signal.SIGTERM}  # until a worker handles them
_STARTING = threading.Lock()  # the start of a worker changes the working directory for a moment
_PAUSES = (0.1, 0.4, 1.5)  # seconds between two trials to start a worker


class Worker(NamedTuple):
    """A worker process and this process's end of the connection to it."""

    process: BaseProcess
    connection: Connection

    def end(self, seconds: float) -> None:
        """Close the connection, at which a worker ends; kill one that is still there after a time."""
        self.connection.close()
        self.process.join(seconds)
        self.process.kill()
        self.process.join()


def start_worker(target: Callable[..., None], *arguments: object) -> Worker:
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


def call_in_worker(function: Callable[..., Result], *arguments: object) -> Result | None:
    """What a function returns when it is called in a process of its own, so that user code cannot end this
    one; None where it raises, dies or takes too long."""
    worker = start_worker(_call, function, arguments)
    try:
        value: Result | None = worker.connection.recv() if worker.connection.poll(SILENCE_LIMIT) else None
        return value
    except (EOFError, OSError):
        return None
    finally:
        worker.end(0)


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


def unblock_interrupts() -> None:
    """Let the signals to stop reach a worker, which handles them by now."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _BLOCKED)


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
    os.environ.clear()  # from when the server started, which may be long ago
    os.environ.update(environment)
    sys.stdout = sys.stderr  # what user code prints is not a result
    target(connection, *arguments)
    end_with_threads(0)


def _call(connection: Connection, function: Callable[..., object], arguments: tuple[object, ...]) -> None:
    """Send what a function returns, None where it raises."""
    value = None
    with contextlib.suppress(BaseException):  # user code may raise anything
        value = function(*arguments)
    connection.send(value)
