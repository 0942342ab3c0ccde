"""State to bytes and back: weights for use as safetensors, everything else for resuming.

Both hold plain tensors, numbers and strings only: opening one never runs code.
"""

from __future__ import annotations

import contextlib
import io
import json
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from . import catalog
from .config import FORMAT, RunConfig
from .errors import RunError
from .files import refuse_packed
from .losses._weighted_sum import WeightedSum
from .runtime import seeded


def build(config: RunConfig) -> tuple[nn.Module, WeightedSum]:
    """A new network and loss as the run's seed makes them.

    Each part draws from a generator of its own: whatever the loss, the network starts from the same
    weights, and softmax from the same class weights whether or not a term joins it.
    """
    with seeded(config.seed, "network"):
        network: nn.Module = catalog.load("networks", config.network)(config.feature_dim)
    losses: dict[str, nn.Module] = {}
    for term in config.terms:
        with seeded(config.seed, "loss", term.name):
            make = catalog.load("losses", term.name)
            losses[term.name] = make(config.classes, config.feature_dim, **dict(term.settings))
    return network, WeightedSum(losses, [term.weight for term in config.terms])


def model_bytes(network: nn.Module, loss: nn.Module, config: RunConfig) -> bytes:
    """Network and loss as one safetensors file whose header holds the config."""
    tensors = {f"network.{key}": value for key, value in network.state_dict().items()}
    tensors |= {f"loss.{key}": value for key, value in loss.state_dict().items()}
    plain = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    # one entry only: safetensors writes several in no fixed order, and the same run is the same file
    return save(plain, {"lossbench": json.dumps({"format": FORMAT, "config": config.to_dict()})})


def load_model(content: bytes | None, config: RunConfig, where: str) -> tuple[nn.Module, WeightedSum]:
    """Network and loss of a trained run. Raises RunError for a file that is cut short or another's."""
    if content is None:
        raise RunError(f"{where} has no model.safetensors; its training is not complete.")
    network, loss = build(config)
    try:
        tensors = load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        stored = json.loads(header["__metadata__"]["lossbench"])
        if stored != {"format": FORMAT, "config": config.to_dict()}:
            raise ValueError("it belongs to another run")
        for part, module in (("network.", network), ("loss.", loss)):
            own = {key[len(part) :]: value for key, value in tensors.items() if key.startswith(part)}
            module.load_state_dict(own)
    except Exception as error:  # damaged bytes fail in many ways, in three libraries
        raise RunError(
            f"{where}/model.safetensors is cut short or of another format ({_first_line(error)})."
        ) from None
    return network.eval(), loss.eval()


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
            f"{where}/resume.pt is cut short or of another format ({_first_line(error)}); "
            "--force starts anew."
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
            f"{where}/resume.pt is of another run ({_first_line(error)}); --force starts anew."
        ) from None


def tensors_to(device: torch.device, state: Any) -> Any:
    """The same nested state with its tensors on `device`."""
    if isinstance(state, Tensor):
        return state.to(device)
    if isinstance(state, dict):
        return {key: tensors_to(device, value) for key, value in state.items()}
    return [tensors_to(device, value) for value in state] if isinstance(state, list) else state


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
