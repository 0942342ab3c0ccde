"""What training calls of an optimizer, and what an optimizer is built from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from torch import Tensor, nn

Role = Literal["network", "loss"]
Parameters = Mapping[Role, Sequence[nn.Parameter]]
"""What is trained, by role, in a fixed order: an optimizer may treat the roles differently."""


class Optimizer(Protocol):
    """What training calls. A class is built as `AdamW(parameters, weight_decay=5e-4, device=device)`.

    On CUDA, `step` is recorded into a graph: it must not wait for the device, nor keep numbers that change.
    """

    rate: float | Tensor

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the next steps."""

    def step(self) -> None:
        """Update the parameters and set their gradients to zero."""

    def state_dict(self) -> dict[str, Any]:
        """Plain tensors, numbers, lists and dictionaries: all that `load_state_dict` needs."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state. Raises ValueError if it is of other parameters."""
