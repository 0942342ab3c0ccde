"""Device, precision and seeds: all that a run takes from the machine it runs on."""

from __future__ import annotations

import contextlib
import ctypes
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import torch

from .device import cores


class Placement(NamedTuple):
    """Where a run executes and what it keeps on its way; no part of what it learns.

    threads None: what torch chooses. snapshots: moments of training at which features are kept. splits: the
    data itself, where there are no files of it.
    """

    device: str = "auto"
    data_dir: Path | None = None
    threads: int | None = None
    snapshots: int = 0
    splits: Any = None


def prepare_process(threads: int | None) -> None:
    """Fix the thread count, and the convolution algorithms on CUDA, before anything is computed.

    From then on the process keeps the memory that it frees.
    """
    if threads:
        torch.set_num_threads(threads)
    torch.backends.cudnn.deterministic = True
    _keep_freed_memory()


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_NEVER = 2**30  # bytes


def _keep_freed_memory() -> None:
    """Let malloc keep what is freed: glibc gives large blocks back to the system after every step, and the
    next step waits for as many fresh pages. Nothing where the C library is another."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _NEVER)
        library.mallopt(_M_TRIM_THRESHOLD, _NEVER)


def threads_each(placement: Placement, workers: int) -> int | None:
    """Threads of each of so many workers at once; alone, what torch chooses."""
    return placement.threads or (max(1, cores() // workers) if workers > 1 else None)


class StopRequest:
    """True once SIGINT or SIGTERM came in; a second SIGINT interrupts at once."""

    def __init__(self) -> None:
        self.requested = False

    def __call__(self) -> bool:
        """Whether somebody asked to stop."""
        return self.requested

    @contextlib.contextmanager
    def watching(self) -> Iterator[StopRequest]:
        """Catch the signals inside the block (main thread only)."""
        before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True
