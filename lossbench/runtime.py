"""Device, precision and seeds: all that a run takes from the machine it runs on."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import platform
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import torch

from .errors import UsageError


def resolve_device(name: str) -> torch.device:
    """The device for auto, cpu, cuda, cuda:i or mps; UsageError when this machine has none such."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    if not re.fullmatch(r"cpu|cuda(:\d+)?|mps", name):
        raise UsageError(f"Unknown device '{name}'; there are: auto, cpu, cuda, cuda:0 ..., mps.")
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError("This machine has no usable CUDA device; --device cpu works everywhere.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"There is no {name}: this machine has {torch.cuda.device_count()} CUDA devices.")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError("This machine has no usable MPS device; --device cpu works everywhere.")
    return device


def resolve_precision(name: str, device: torch.device) -> torch.dtype:
    """The type of the convolutions: bfloat16 where the hardware computes in it natively, else float32."""
    if name == "fp32":
        return torch.float32
    if name == "bf16":
        return torch.bfloat16
    if device.type == "cuda":
        native = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        native = device.type == "cpu" and _cpu_has_bf16()
    return torch.bfloat16 if native else torch.float32


def _cpu_has_bf16() -> bool:
    """AVX512-BF16 or AMX: without them bf16 on a CPU is emulated and slower than float32."""
    flags = [getattr(torch.backends.cpu, "get_cpu_capability", lambda: "")()]
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return "AVX512" in flags[0] and bool(probe is not None and probe())


def autocast(device: torch.device, precision: torch.dtype) -> contextlib.AbstractContextManager[None]:
    """Autocast of the convolutions to `precision`; nothing for float32."""
    if precision == torch.float32:
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=precision)


def derived_seed(seed: int, *purpose: str | int) -> int:
    """A seed for one purpose of a run: what one purpose draws never shifts what another draws."""
    text = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


@contextlib.contextmanager
def seeded(seed: int, *purpose: str | int) -> Iterator[None]:
    """Draw from the generator of one purpose inside the block, leaving the global one untouched."""
    with torch.random.fork_rng():
        torch.manual_seed(derived_seed(seed, *purpose))
        yield


class Randomness:
    """The random numbers of one purpose of a run: inside `with`, torch's generator goes on where it was left.

    `state` is that of the CPU's generator. On CUDA it is torch's own, seeded once: a recorded step keeps it.
    """

    def __init__(self, seed: int, *purpose: str | int) -> None:
        with seeded(seed, *purpose):
            self.state = torch.get_rng_state()
        if torch.cuda.is_initialized():
            torch.cuda.manual_seed_all(derived_seed(seed, *purpose))

    def __enter__(self) -> None:
        self._outside = torch.get_rng_state()
        torch.set_rng_state(self.state)

    def __exit__(self, *_: object) -> None:
        self.state = torch.get_rng_state()
        torch.set_rng_state(self._outside)


def describe_machine(device: torch.device) -> dict[str, str | int]:
    """What a reader needs to judge a number: device, threads, versions."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor_name()
    return {
        "device": device.type,
        "device_name": name,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
    }


def _processor_name() -> str:
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


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


def cores() -> int:
    """CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def at_once(device: torch.device) -> int:
    """How many runs a device does well at a time: a process for each core, or a pack of them on a GPU."""
    return {"cpu": cores(), "cuda": 32}.get(device.type, 1)


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
