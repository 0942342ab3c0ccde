"""Where a run executes, and what it sets in its process: threads, memory, signals."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import torch

from ..data import Splits
from ..runs.config import RunConfig
from ..specs import catalog
from .device import cores

# of glibc's malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MAX_BYTES = 2**30


class Placement(NamedTuple):
    """Where a run executes and what it stores in addition to its result; not part of what it learns.

    threads: of the CPU; None is what the network's SPEC says. snapshots: their number. splits: the data,
    where this machine has no files of it.
    """

    device: str = "auto"
    data_dir: Path | None = None
    threads: int | None = None
    snapshots: int = 0
    splits: Splits | None = None

    def for_workers(self, workers: int) -> Placement:
        """The placement of each of `workers` runs that train at the same time: a CPU thread each."""
        return self if workers == 1 or self.threads else self._replace(threads=1)


def threads_of(config: RunConfig, placement: Placement) -> int:
    """The CPU threads of a run, on which its rounding depends.

    They follow from the network alone, not from the number of cores, except where there are too few of them:
    threads that share a core wait for each other.
    """
    return placement.threads or min(catalog.spec("networks", config.network).threads, cores())


def prepare_process(threads: int) -> None:
    """Set the thread count and deterministic convolutions, and let the process keep the memory it frees."""
    torch.set_num_threads(threads)
    torch.backends.cudnn.deterministic = True
    # glibc returns large blocks to the system after every step, and the next step waits for new pages;
    # other C libraries have no mallopt
    with contextlib.suppress(AttributeError, OSError, TypeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _MAX_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, _MAX_BYTES)


@contextlib.contextmanager
def torch_settings_kept() -> Iterator[None]:
    """Restore the thread count and the choice of convolutions after the block."""
    threads, deterministic = torch.get_num_threads(), torch.backends.cudnn.deterministic
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.backends.cudnn.deterministic = deterministic


STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name)
)
"""A terminal that closes sends SIGHUP; batch systems send SIGUSR1 before the time of a job is over."""


class StopRequest:
    """Becomes true at the first of `STOP_SIGNALS`; a second SIGINT raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.requested = False

    def __call__(self) -> bool:
        """Whether a signal came."""
        return self.requested

    @contextlib.contextmanager
    def watching(self) -> Iterator[StopRequest]:
        """Handle the signals inside the block; under `nohup` SIGHUP stays ignored. Python handles signals in
        the main thread only: in another thread the block does nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
        if before.get(getattr(signal, "SIGHUP", None)) == signal.SIG_IGN:
            del before[signal.SIGHUP]
        for number in before:
            signal.signal(number, self._handle)
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True
