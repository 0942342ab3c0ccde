"""The network and the loss of a run: built from its config, and as a safetensors file."""

from __future__ import annotations

import contextlib
import hashlib
import json
import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from ..data import normalize
from ..errors import RunError, UsageError, code_of_user, first_line, one_line, shown
from ..losses import WeightedSum
from ..randomness import seeded
from ..specs import DatasetSpec, catalog
from ..specs.plugins import folder_and_streams_kept
from .config import FORMAT, RunConfig, dataset_spec
from .run_folder import RunFolder

_BATCH = 1000  # images at a time


def build(config: RunConfig) -> tuple[nn.Module, WeightedSum]:
    """A new network and loss, initialized from the run's seed.

    Each draws random numbers of its own: the network starts from the same weights under every loss, and
    softmax from the same class weights with and without other terms. Raises UsageError for a network from
    outside that does not give features (B, D).
    """
    return build_network(config), build_loss(config)


@folder_and_streams_kept()
def build_network(config: RunConfig) -> nn.Module:
    """A new network, initialized from the run's seed."""
    with seeded(config.seed, "network"):
        constructor = catalog.load("networks", config.network)
        network: nn.Module
        if catalog.is_external(config.network, "networks"):
            network = _checked(constructor, config)
        else:
            network = constructor(config.input_shape, config.feature_dim)
    return nn.Sequential(network, nn.ReLU()) if config.feature_activation == "relu" else network


@folder_and_streams_kept()
def build_loss(config: RunConfig) -> WeightedSum:
    """A new loss, initialized from the run's seed."""
    losses: dict[str, nn.Module] = {}
    for term in config.terms:
        with seeded(config.seed, "loss", term.name):
            loss_class = catalog.load("losses", term.name)
            failed = f"The loss {term.name} cannot be constructed"
            external = catalog.is_external(term.name)
            with code_of_user(failed) if external else contextlib.nullcontext():
                loss = loss_class(config.classes, config.feature_dim, **dict(term.settings))
                if not isinstance(loss, nn.Module):
                    raise TypeError(f"{type(loss).__name__} is not a torch.nn.Module")
            if external:
                _check_state(f"The loss {term.name}", loss)
            losses[term.name] = loss
    return WeightedSum(losses, [term.weight for term in config.terms])


def _checked(constructor: Callable[..., nn.Module], config: RunConfig) -> nn.Module:
    """A network from outside that maps two samples to features."""
    name, shape = config.network, config.input_shape
    with code_of_user(f"The network {name} cannot be used for samples of shape {shape}"):
        network = constructor(shape, config.feature_dim)
        with torch.no_grad():
            features = network.eval()(torch.zeros(2, *shape))
        network.train()
    check_features(features, 2, config)
    _check_state(f"The network {name}", network)
    return network


def _check_state(what: str, module: nn.Module) -> None:
    """Raises UsageError for a module from outside that has no plain tensors, or cannot be walked through."""
    with code_of_user(f"{what} cannot be trained and stored"):
        list(module.parameters())
        save(_stored_tensors("", module))


def check_features(features: object, count: int, config: RunConfig) -> Tensor:
    """Check the output of a network for `count` samples. Raises UsageError unless it is (count, D)."""
    if isinstance(features, Tensor) and features.shape == (count, config.feature_dim):
        return features
    found = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
    raise UsageError(
        f"The network {config.network} returns {found} for {count} samples; features of shape "
        f"({count}, {config.feature_dim}) are needed."
    )


def check_terms(loss: WeightedSum, terms: Sequence[object], features: Tensor, *, first: bool) -> None:
    """Raises UsageError unless each term is the loss of a batch with a gradient, which a user's loss may get
    wrong; warns at the `first` step of a term that gives the features no gradient."""
    for name, weight, term in zip(loss.names, loss.weights, terms, strict=True):
        found = ""
        if not isinstance(term, Tensor):
            found = f"a value of the type {type(term).__name__}"
        elif term.ndim:
            found = f"a tensor of shape {tuple(term.shape)}"
        elif not term.is_floating_point():
            found = f"a number of type {str(term.dtype).removeprefix('torch.')}"
        elif weight and not term.requires_grad:
            found = "a number without a gradient"
        elif first and weight and not _has_in_graph(term, features):
            warnings.warn(
                f"The network learns nothing from the loss {name}: its value does not depend on the "
                "features, or they are detached.",
                stacklevel=2,
            )
        if found:
            raise UsageError(
                f"forward of the loss {name} returns {found}; it must return the mean over the batch: a "
                "tensor of shape (), computed from the features."
            )


def _has_in_graph(value: Tensor, features: Tensor) -> bool:
    """Whether the features have a gradient, and that of the value reaches them."""
    waiting, seen = [value.grad_fn], set[object]()
    while waiting and features.grad_fn not in seen:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting.extend(following for following, _ in node.next_functions)
    return features.grad_fn in seen


def load_initial(network: nn.Module, content: bytes, config: RunConfig) -> None:
    """Start a network from that of the stored run that `config.init` names, whose losses and classes may be
    others. Raises RunError where that run was trained again, UsageError where it has another network."""
    name, _, digest = config.init.partition("@")
    tensors = _network_tensors(content, name)
    if _digest_of(tensors) != digest:
        raise RunError(f"{name} was trained again since it was named with --init; name it again.")
    try:
        network.load_state_dict(tensors)
    except RuntimeError:
        shape = " x ".join(map(str, config.input_shape))
        raise UsageError(
            f"--init {name}: its network does not fit {config.network} with samples of {shape} and "
            f"{config.feature_dim}-D features."
        ) from None


def initial_network(run: RunFolder) -> str:
    """How a config names the trained network of a stored run: by the run's name and a digest of the weights.

    Raises RunError for a run without a model.
    """
    content = run.read_bytes("model.safetensors")
    if content is None:
        raise RunError(f"{run.name} has no model.safetensors; its training is not complete, or it is gone.")
    return f"{run.name}@{_digest_of(_network_tensors(content, run.name))}"


def _network_tensors(content: bytes, name: str) -> dict[str, Tensor]:
    try:
        tensors = load(content)
    except Exception as error:  # damaged bytes fail in many ways
        raise RunError(f"The model of {name} cannot be read ({first_line(error)}).") from None
    return _tensors_of("network", tensors)


def _tensors_of(module: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of `network` or `loss` in a model, by their names in the module."""
    prefix = f"{module}."
    return {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}


def _digest_of(tensors: Mapping[str, Tensor]) -> str:
    """A digest of tensors and their names. (The bytes of a model name its config, which may change.)"""
    return hashlib.sha256(save(dict(sorted(tensors.items())))).hexdigest()[:16]


def model_bytes(network: nn.Module, loss: nn.Module, config: RunConfig) -> bytes:
    """Network and loss as one safetensors file whose header holds the config."""
    tensors = _stored_tensors("network.", network) | _stored_tensors("loss.", loss)
    # one entry only: safetensors writes several in no fixed order, and equal runs shall be equal files
    return save(tensors, {"lossbench": json.dumps({"format": FORMAT, "config": config.to_dict()})})


def _stored_tensors(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """The state of a module as it is stored: copies, because tensors of a user's module may share memory,
    which the file format does not have."""
    return {
        prefix + key: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for key, value in module.state_dict().items()
    }


@torch.inference_mode(False)  # its modules can be trained, wherever it is called
def load_model(run: RunFolder) -> tuple[nn.Module, WeightedSum]:
    """Network and loss of a trained run. Raises RunError for a file that is cut short or of another run."""
    network, loss = build(run.config)
    _load(run, network=network, loss=loss)
    return network.eval(), loss.eval()


@torch.inference_mode(False)
def load_network(run: RunFolder) -> TrainedNetwork:
    """The network of a trained run, without building its loss. Raises RunError as `load_model` does."""
    network = build_network(run.config)
    _load(run, network=network)
    return TrainedNetwork(network.eval(), dataset_spec(run.config.dataset)).eval()


@torch.inference_mode(False)
def load_loss(run: RunFolder) -> WeightedSum:
    """The loss of a trained run, without building its network. Raises RunError as `load_model` does."""
    loss = build_loss(run.config)
    _load(run, loss=loss)
    return loss.eval()


def _load(run: RunFolder, **modules: nn.Module) -> None:
    """Give modules, by `network` or `loss`, the weights of a trained run."""
    content = run.read_bytes("model.safetensors")
    if content is None:
        raise RunError(f"{run.path} has no model.safetensors; its training is not complete, or it is gone.")
    try:
        tensors = load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        stored = json.loads(header["__metadata__"]["lossbench"])
        if stored != {"format": FORMAT, "config": run.config.to_dict()}:
            raise ValueError("it belongs to another run")
    except Exception as error:  # damaged bytes fail in many ways, in three libraries
        raise RunError(
            f"{run.path}/model.safetensors is cut short or of another format ({first_line(error)})."
        ) from None
    for name, module in modules.items():
        try:
            module.load_state_dict(_tensors_of(name, tensors))
        except Exception as error:
            own = ", ".join(run.config.own_code)
            fault = (
                f"does not fit what the code of {own} builds" if own else "is cut short or of another format"
            )
            raise RunError(f"{run.path}/model.safetensors {fault}: {shown(one_line(error))}") from None


class TrainedNetwork(nn.Module):
    """A network with the normalization of its data set before it.

    network: what takes normalized images. Where training convolved in bfloat16, features are close to the
    stored ones; else they are equal but for rounding.
    """

    def __init__(self, network: nn.Module, spec: DatasetSpec) -> None:
        super().__init__()
        self.network, self.spec = network, spec

    def forward(self, images: Tensor | np.ndarray) -> Tensor:
        """Features (N, D) float32 of images (N, channels, height, width) with values from 0 to 255, of any
        type, as arrays or tensors."""
        batches = torch.as_tensor(images).split(_BATCH)
        return torch.cat([self.network(normalize(batch, self.spec)) for batch in batches])
