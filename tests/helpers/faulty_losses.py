"""A loss that does harm to its process when a file orders it: real workers die and hang in the tests."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from torch import Tensor, nn

FAULTS = "LOSSBENCH_TEST_FAULTS"
"""The environment variable that names the folder of orders."""


class Faulty(nn.Module):
    """Zero. The file `kill` kills the process and `hang` stops its progress, once; `kill always` stays, and so
    does `tell`, where every process leaves its number."""

    def __init__(self, num_classes: int, feature_dim: int) -> None:
        super().__init__()

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        orders = Path(os.environ[FAULTS])
        if (orders / "kill always").exists() or _take(orders / "kill"):
            os.kill(os.getpid(), signal.SIGKILL)
        if (orders / "tell").exists():
            (orders / f"process {os.getpid()}").touch()
        if _take(orders / "hang"):
            time.sleep(1000)
        return 0 * features.sum()


def _take(order: Path) -> bool:
    """Whether the order was there; one process only gets it."""
    try:
        order.unlink()
    except FileNotFoundError:
        return False
    return True
