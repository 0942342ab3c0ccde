"""State to bytes and back: weights for use as safetensors, everything else for resuming.

Both hold plain tensors, numbers and strings only: opening one never runs code.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from ..errors import RunError, first_line
from ..files import refuse_packed
from ..runs.config import FORMAT


def state_bytes(state: Mapping[str, Any]) -> bytes:
    """A resume state (tensors, numbers, strings, lists and dicts of them) as bytes."""
    content = io.BytesIO()
    torch.save({"format": FORMAT, **state}, content)
    return content.getvalue()


def load_state(content: bytes, where: str) -> dict[str, Any]:
    """The resume state. Raises RunError for bytes that are cut short, of another format, or hold code."""
    try:
        with warnings.catch_warnings():  # torch warns of strange bytes before it refuses them
            warnings.simplefilter("ignore")
            refuse_packed(io.BytesIO(content), len(content))
            state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes fail in many ways, and this is where they are refused
        raise RunError(
            f"{where}/resume.pt is cut short or of another format ({first_line(error)}); --force starts anew."
        ) from None
    if not isinstance(state, dict) or state.pop("format", None) != FORMAT:
        raise RunError(f"{where}/resume.pt is of another format; --force starts anew.")
    return state


@contextlib.contextmanager
def state_of(content: bytes, where: str) -> Iterator[dict[str, Any]]:
    """The resume state, taken inside the block. Raises RunError also for one that does not fit there."""
    state = load_state(content, where)
    try:
        yield state
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise RunError(
            f"{where}/resume.pt is of another run ({first_line(error)}); --force starts anew."
        ) from None


def tensors_to(device: torch.device, state: Any) -> Any:
    """The same nested state with its tensors on `device`."""
    if isinstance(state, Tensor):
        return state.to(device)
    if isinstance(state, dict):
        return {key: tensors_to(device, value) for key, value in state.items()}
    return [tensors_to(device, value) for value in state] if isinstance(state, list) else state
