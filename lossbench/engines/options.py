"""Which engine executes runs, and what a run takes of it."""

import math
from dataclasses import dataclass

from ..errors import UsageError, unknown_name

NAMES = ("local", "ray")


@dataclass(frozen=True)
class EngineOptions:
    """Where runs execute: on this machine (`local`) or on a Ray cluster (`ray`).

    The others are for Ray. address: the cluster to join, `auto` or HOST:PORT; None starts one here. A run
    takes `gpus_per_run` (None: 0; 0.25 lets four share one) and `cpus_per_run` (None: 1), its threads.
    Raises UsageError for values that make no sense.
    """

    name: str = "local"
    address: str | None = None
    gpus_per_run: float | None = None
    cpus_per_run: int | None = None

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise unknown_name("engine", self.name, NAMES)
        for field in ("address", "gpus_per_run", "cpus_per_run"):
            if self.name == "local" and getattr(self, field) is not None:
                raise UsageError(f"--{field.replace('_', '-')} is for --engine ray.")
        if not 0 <= self.gpus < math.inf or (self.gpus > 1 and self.gpus % 1):
            raise UsageError(f"--gpus-per-run {self.gpus:g}: a part of one GPU, or a whole number.")
        if self.cpus < 1:
            raise UsageError(f"--cpus-per-run {self.cpus}: at least 1.")

    @property
    def gpus(self) -> float:
        """GPUs of a run on Ray."""
        return self.gpus_per_run or 0.0

    @property
    def cpus(self) -> int:
        """CPUs of a run on Ray."""
        return 1 if self.cpus_per_run is None else self.cpus_per_run

    def check_device(self, device: str) -> None:
        """Raise UsageError for a CUDA device on Ray without GPUs per run."""
        if self.name == "ray" and device.startswith("cuda") and not self.gpus:
            raise UsageError(f"--device {device} on Ray needs --gpus-per-run.")


LOCAL = EngineOptions()
