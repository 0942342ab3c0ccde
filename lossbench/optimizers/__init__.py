"""The optimizers, one per file: `AdamW(network, loss, weight_decay=5e-4, device=device)`.

An optimizer trains the parameters of both modules; it may treat the network and the loss differently.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor


class Optimizer(Protocol):
    """What training calls. On CUDA `step` is recorded as a graph, so it must not wait for the device."""

    rate: float | Tensor

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the next steps."""

    def step(self) -> None:
        """Update the parameters and set their gradients to zero."""

    def state_dict(self) -> dict[str, Any]:
        """Tensors, numbers, lists and dictionaries: all that `load_state_dict` needs."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state, on any device. Raises ValueError for a state of other parameters."""
