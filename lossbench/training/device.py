"""Devices, precisions, and a description of the machine."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import platform
from pathlib import Path, PurePosixPath

import torch

from ..errors import UsageError
from ..runs.option_values import check_device
from ..runs.result import Machine


def resolve_device(name: str) -> torch.device:
    """The device for auto, cpu, cuda, cuda:i or mps. Raises UsageError if this machine has no such device."""
    check_device(name)
    has_cuda, has_mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if has_cuda else "mps" if has_mps else "cpu")
    device = torch.device(name)
    if not {"cpu": True, "cuda": has_cuda, "mps": has_mps}[device.type]:
        raise UsageError(
            f"This machine has no usable {device.type.upper()} device; --device cpu works everywhere."
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"There is no {name}: this machine has {torch.cuda.device_count()} CUDA devices.")
    return device


def resolve_precision(name: str, device: torch.device) -> torch.dtype:
    """The dtype of the convolutions. auto: bfloat16 where the hardware computes faster in it."""
    if name == "auto":
        name = "bf16" if _has_fast_bf16(device) else "fp32"
    return {"fp32": torch.float32, "bf16": torch.bfloat16}[name]


def _has_fast_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu" or "AVX512" not in torch.backends.cpu.get_cpu_capability():
        return False
    if not _cpu_supports("avx512_bf16"):
        return False  # emulated
    # By AVX-512 alone, Intel's processors multiply bfloat16 at half the speed of float32.
    return _cpu_supports("amx_tile") or "Intel" not in _processor_name()


def _cpu_supports(instructions: str) -> bool:
    check = getattr(torch.cpu, f"_is_{instructions}_supported", None)  # private, so it may go
    return bool(check and check())


def autocast(device: torch.device, precision: torch.dtype) -> contextlib.AbstractContextManager[None]:
    """Autocast of the convolutions to `precision`; nothing for float32."""
    if precision == torch.float32:
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=precision)


def describe_machine(device: torch.device) -> Machine:
    """Device, threads and versions, on which speed and rounding depend."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor_name()
    return Machine(
        device.type,
        name,
        torch.get_num_threads(),
        torch.__version__,
        platform.python_version(),
        platform.system(),
    )


def _processor_name() -> str:
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cores(root: Path = Path("/")) -> int:
    """CPU cores that this process may use, at most the quota of its container (rounded up)."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = core_quota(root)
    return bound if quota is None else max(1, min(bound, math.ceil(quota)))


def core_quota(root: Path = Path("/")) -> float | None:
    """CPU time per time that Linux's control groups allow this process, None without a limit.

    Versions 1 and 2, at the usual mount points below `root`. A group has the quotas of all groups above it.
    Source: Linux kernel documentation, cgroup-v2 (cpu.max), sched-bwc (cpu.cfs_quota_us).
    """
    quotas = []
    for line in _words(root / "proc/self/cgroup", "\n"):
        number, controllers, path = (*line.split(":", 2), "", "")[:3]
        if number == "0":
            mounts, names = ["", "unified"], ["cpu.max"]
        elif "cpu" in controllers.split(","):
            mounts, names = [controllers, "cpu"], ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
        else:
            continue
        below = PurePosixPath(path.lstrip("/"))
        for mount, group in itertools.product(mounts, (below, *below.parents)):
            folder = root / "sys/fs/cgroup" / mount / group
            words = [word for name in names for word in _words(folder / name)]
            with contextlib.suppress(ValueError, IndexError, ZeroDivisionError):
                quotas.append(float(words[0]) / float((*words, "100000")[1]))
    return min((quota for quota in quotas if quota > 0), default=None)


def _words(path: Path, separator: str | None = None) -> list[str]:
    try:
        return path.read_text().split(separator)
    except OSError:
        return []


def default_workers(device: torch.device) -> int:
    """How many runs to train at a time: one for each core of a CPU, or 32 that share a GPU."""
    return {"cpu": cores(), "cuda": 32}.get(device.type, 1)
