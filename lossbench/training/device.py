"""Devices, precisions, and a description of the machine."""

from __future__ import annotations

import contextlib
import os
import platform
import re

import torch

from ..errors import UsageError


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


def cores() -> int:
    """CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def at_once(device: torch.device) -> int:
    """How many runs a device does well at a time: a process for each core, or a pack of them on a GPU."""
    return {"cpu": cores(), "cuda": 32}.get(device.type, 1)
