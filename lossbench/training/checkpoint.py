"""The state from which training continues, as bytes.

It holds plain tensors, numbers and strings only: loading it never runs code.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from typing import Any

import torch

from ..errors import RunError, first_line
from ..files import refuse_packed
from ..runs.config import FORMAT


def state_bytes(state: Mapping[str, Any]) -> bytes:
    """A state (tensors, numbers, strings, lists and dictionaries of them) as bytes."""
    content = io.BytesIO()
    torch.save({"format": FORMAT, **state}, content)
    return content.getvalue()


def load_state(content: bytes, where: str) -> dict[str, Any]:
    """The state, on the CPU. Raises RunError for bytes that are cut short, of another format or with code."""
    try:
        with warnings.catch_warnings():  # torch warns of unknown bytes before it refuses them
            warnings.simplefilter("ignore")
            refuse_packed(io.BytesIO(content), len(content))
            state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        if state.pop("format") != FORMAT:
            raise ValueError("it has another version")
    except Exception as error:  # damaged bytes fail in many ways
        raise RunError(
            f"{where}/resume.pt is cut short or of another format ({first_line(error)}); --force starts over."
        ) from None
    return dict(state)
