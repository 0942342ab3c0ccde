"""The network and the loss of a run: built from its config, and as a safetensors file."""

from __future__ import annotations

import json

from safetensors.torch import load, save
from torch import nn

from ..errors import RunError, first_line
from ..losses import WeightedSum
from ..randomness import seeded
from ..specs import catalog
from .config import FORMAT, RunConfig, dataset_spec


def build(config: RunConfig) -> tuple[nn.Module, WeightedSum]:
    """A new network and loss, initialized from the run's seed.

    Each draws random numbers of its own: the network starts from the same weights under every loss, and
    softmax from the same class weights with and without other terms.
    """
    with seeded(config.seed, "network"):
        network: nn.Module = catalog.load("networks", config.network)(
            dataset_spec(config.dataset).shape, config.feature_dim
        )
    losses: dict[str, nn.Module] = {}
    for term in config.terms:
        with seeded(config.seed, "loss", term.name):
            loss_class = catalog.load("losses", term.name)
            losses[term.name] = loss_class(config.classes, config.feature_dim, **dict(term.settings))
    return network, WeightedSum(losses, [term.weight for term in config.terms])


def model_bytes(network: nn.Module, loss: nn.Module, config: RunConfig) -> bytes:
    """Network and loss as one safetensors file whose header holds the config."""
    tensors = {f"network.{key}": value for key, value in network.state_dict().items()}
    tensors |= {f"loss.{key}": value for key, value in loss.state_dict().items()}
    tensors = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    # one entry only: safetensors writes several in no fixed order, and equal runs shall be equal files
    return save(tensors, {"lossbench": json.dumps({"format": FORMAT, "config": config.to_dict()})})


def load_model(content: bytes | None, config: RunConfig, where: str) -> tuple[nn.Module, WeightedSum]:
    """Network and loss of a trained run. Raises RunError for a file that is cut short or of another run."""
    if content is None:
        raise RunError(f"{where} has no model.safetensors; its training is not complete.")
    network, loss = build(config)
    try:
        tensors = load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        stored = json.loads(header["__metadata__"]["lossbench"])
        if stored != {"format": FORMAT, "config": config.to_dict()}:
            raise ValueError("it belongs to another run")
        for prefix, module in (("network.", network), ("loss.", loss)):
            module.load_state_dict(
                {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}
            )
    except Exception as error:  # damaged bytes fail in many ways, in three libraries
        raise RunError(
            f"{where}/model.safetensors is cut short or of another format ({first_line(error)})."
        ) from None
    return network.eval(), loss.eval()
