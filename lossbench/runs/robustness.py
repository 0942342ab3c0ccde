"""Trained runs under attack; see `attacks`. On the GPU where there is one."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data import load_splits, normalize
from ..errors import LossbenchError, RunError, UsageError
from ..losses import class_means, class_scores
from ..randomness import derived_seed
from ..records import Embedding
from .attacks import Attacked, attack
from .commands import command_for
from .conditions import BATCH_OPTIONS
from .config import BASE_LOSS, RunConfig, dataset_spec
from .filter import RunFilter
from .model import load_model
from .run_folder import RunFolder, open_run

IMAGES = 1000
"""How many images are attacked: the first ones of the split."""
_BATCH = 250


class TrainedRun:
    """A trained run as an attack sees it: `images` (N, C, H, W) and `labels` (N,), the first of the evaluated
    split, and what the network and the loss make of images.

    train: the training features, if they have been read. Raises DataError where the data set cannot be read.
    """

    def __init__(self, run: RunFolder, train: Embedding | None, data_dir: Path | None) -> None:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.config = run.config
        split = getattr(load_splits(self.config.split_spec, data_dir), self.config.eval_split)
        self.images = split.images[:IMAGES].float().to(device)
        self.labels = split.labels[:IMAGES].to(device)
        network, loss = load_model(run.read_bytes("model.safetensors"), self.config, str(run.path))
        self.network, self.loss = network.to(device), loss.to(device)
        self.means = None
        if self.loss.classifier() is None:
            train = train or run.features()[0]["train"]
            features, labels = torch.from_numpy(train.features), torch.from_numpy(train.labels)
            self.means = class_means(features, labels, self.config.classes).to(device)

    def embed(self, images: Tensor) -> Tensor:
        """Features (B, D) of images (B, C, H, W) from 0 to 255, through which gradients flow."""
        features: Tensor = self.network(normalize(images, dataset_spec(self.config.dataset)))
        return features.float()

    def scores(self, images: Tensor) -> Tensor:
        """Their class scores (B, C)."""
        differentiable: Callable[..., Tensor] = inspect.unwrap(class_scores)
        return differentiable(self.loss, self.embed(images), self.means, self.config.rule)

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Images and labels, some at a time."""
        return zip(self.images.split(_BATCH), self.labels.split(_BATCH), strict=True)

    def attacked(self, kind: str, epsilon: float) -> Attacked:
        """All images after an attack, see `attacks.attack`, with the seed of the run."""
        generator = torch.Generator().manual_seed(derived_seed(self.config.seed, "attack"))
        attacked = [attack(self.scores, *batch, kind, epsilon, generator) for batch in self.batches()]
        return Attacked(*(torch.cat(parts) for parts in zip(*attacked, strict=True)))


def robust_accuracy(
    run: RunFolder, train: Embedding | None, kind: str, epsilon: float, data_dir: Path | None = None
) -> float:
    """The share of the first `IMAGES` images of the evaluated split that are classified right whatever the
    attack tries.

    kind: a name of `attacks.ATTACKS`. epsilon: the largest change of a pixel, 1 being from black to white.
    NaN for `apgd-dlr` with two classes. Raises DataError where the data set cannot be read.
    """
    if kind == "apgd-dlr" and run.config.classes < 3:
        return math.nan
    return float(TrainedRun(run, train, data_dir).attacked(kind, epsilon).right.float().mean())


def transfer_accuracy(
    run: RunFolder,
    train: Embedding | None,
    epsilon: float,
    source: RunFolder | None = None,
    data_dir: Path | None = None,
) -> float:
    """The share of these images that the run classifies right, themselves and after `apgd-ce` changed them
    for another run.

    source: the other run (default: `transfer_source`). Raises UsageError for one on other images, RunError
    where there is none, and as `robust_accuracy`.
    """
    source = source or transfer_source(run)
    if source.config.split_spec != run.config.split_spec:
        raise UsageError(f"{source.name} and {run.name} have not the same images.")
    changed = TrainedRun(source, None, data_dir).attacked("apgd-ce", epsilon).images.split(_BATCH)
    trained = TrainedRun(run, train, data_dir)
    with torch.no_grad():
        right = [
            (trained.scores(images).argmax(1) == labels) & (trained.scores(attacked).argmax(1) == labels)
            for (images, labels), attacked in zip(trained.batches(), changed, strict=True)
        ]
    return float(torch.cat(right).float().mean())


def transfer_source(run: RunFolder) -> RunFolder:
    """The softmax run beside this one, of equal conditions and the other seed of a pair (0, 1; 2, 3 ...).

    A run does not share its first weights with that one, so all losses are attacked alike, softmax too.
    Raises RunError where it is not there or not complete.
    """
    seed = run.config.seed ^ 1
    for path in sorted(run.path.parent.glob(f"{BASE_LOSS}-*")):
        with contextlib.suppress(LossbenchError):  # a run that cannot be read is no source
            source = open_run(path)
            alike = source.config.loss == BASE_LOSS and source.config.seed == seed
            if alike and _conditions(source.config) == _conditions(run.config) and source.result():
                return source
    command = command_for([BASE_LOSS], RunFilter(values={"seed": (seed,)}), run.config)
    raise RunError(
        f"Attacks on {run.name} from another network need the {BASE_LOSS} run of seed {seed} under the same "
        f"conditions in {run.path.parent}; {command} makes it."
    )


def _conditions(config: RunConfig) -> RunConfig:
    """The config without losses and seed, and without batches, which a loss on pairs draws balanced."""
    batches: dict[str, Any] = dict.fromkeys(BATCH_OPTIONS, 0)
    return dataclasses.replace(config, terms=(), seed=0, **batches)


def attacked_features(
    run: RunFolder, train: Embedding | None, epsilon: float, data_dir: Path | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Features (N, D) of these images, and of the same ones after FGSM. Raises as `robust_accuracy`."""
    trained = TrainedRun(run, train, data_dir)
    changed = trained.attacked("fgsm", epsilon).images
    with torch.no_grad():
        parts = [
            torch.stack([trained.embed(images), trained.embed(attacked)])
            for (images, _), attacked in zip(trained.batches(), changed.split(_BATCH), strict=True)
        ]
    clean, attacked = torch.cat(parts, dim=1).cpu().numpy()
    return clean, attacked
