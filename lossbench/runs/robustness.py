"""Trained runs on images that were attacked or corrupted, or of other data; see `attacks`, `corruptions`.

Attacks run on the GPU where there is one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import math
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..data import load_splits, load_stored_splits, normalize
from ..errors import LossbenchError, RunError, UsageError
from ..losses import WeightedSum, class_means, class_scores
from ..randomness import derived_seed
from ..records import Embedding, LabelledImages, SplitSpec
from ..specs.plugins import folder_and_streams_kept
from .attacks import Attacked, attack
from .conditions import BATCH_OPTIONS
from .config import BASE_LOSS, RunConfig, dataset_spec
from .corruptions import KINDS, STRENGTHS, corrupted
from .filter import RunFilter
from .model import load_model, load_network
from .run_folder import RunFolder, open_run
from .suggested_commands import command_for

IMAGES = 1000
"""How many images are used: the first ones of the split."""
_BATCH = 250


class RunOnImages:
    """A trained run on the first `IMAGES` images of its evaluated split: the `OnImages` of metrics.

    train: the training features, if they have been read. What is needed is loaded once. Raises DataError
    where the data set cannot be read, RunError for a damaged model.
    """

    def __init__(self, run: RunFolder, train: Embedding | None = None, data_dir: Path | None = None) -> None:
        self.run, self.config, self.train, self.data_dir = run, run.config, train, data_dir
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @cached_property
    def samples(self) -> LabelledImages:
        """Images (N, C, H, W), float32 from 0 to 255, and labels (N,)."""
        split = getattr(load_stored_splits(self.config.split_spec, self.data_dir), self.config.eval_split)
        images, labels = split.at(slice(IMAGES))
        return LabelledImages(images.float().to(self.device), labels.to(self.device))

    @cached_property
    def model(self) -> tuple[nn.Module, WeightedSum]:
        """The network, which takes normalized images, and the loss."""
        network, loss = load_model(self.run)
        return network.to(self.device), loss.to(self.device)

    @cached_property
    def means(self) -> Tensor | None:
        """The means (C, D) of the training features by class; None for a loss with class scores."""
        if self.model[1].classifier() is not None:
            return None
        train = self.train or self.run.features()[0]["train"]
        features, labels = torch.from_numpy(train.features), torch.from_numpy(train.labels)
        return class_means(features, labels, self.config.classes).to(self.device)

    @folder_and_streams_kept()
    def embed(self, images: Tensor) -> Tensor:
        """Features (B, D) of images (B, C, H, W) from 0 to 255, through which gradients flow."""
        features: Tensor = self.model[0](normalize(images, dataset_spec(self.config.dataset)))
        return features.float()

    @folder_and_streams_kept()
    def scores(self, images: Tensor) -> Tensor:
        """Their class scores (B, C)."""
        differentiable: Callable[..., Tensor] = inspect.unwrap(class_scores)
        return differentiable(self.model[1], self.embed(images), self.means, self.config.rule)

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Images and labels, some at a time."""
        return zip(*(tensor.split(_BATCH) for tensor in self.samples), strict=True)

    @folder_and_streams_kept()
    def attacked(self, kind: str, epsilon: float, *, until_wrong: bool = False) -> Attacked:
        """All images after an attack, see `attacks.attack`, with the seed of the run."""
        generator = torch.Generator().manual_seed(derived_seed(self.config.seed, "attack"))
        attacked = [
            attack(self.scores, *batch, kind, epsilon, generator, until_wrong=until_wrong)
            for batch in self.batches()
        ]
        return Attacked(*(torch.cat(parts) for parts in zip(*attacked, strict=True)))

    def robust_accuracy(self, kind: str, epsilon: float) -> float:
        """The share of the images that are classified right whatever the attack tries.

        kind: a name of `attacks.ATTACKS`. epsilon: the largest change of a pixel, 1 being black to white.
        NaN for `apgd-dlr` with two classes.
        """
        if kind == "apgd-dlr" and self.config.classes < 3:
            return math.nan
        return float(self.attacked(kind, epsilon, until_wrong=True).right.float().mean())

    def transfer_accuracy(self, epsilon: float, source: RunFolder | None = None) -> float:
        """The share of the images that the run classifies right, both as they are and after `apgd-ce` changed
        them to attack another run.

        source: the other run (default: `transfer_source`). Raises UsageError for one on other images,
        RunError where there is none.
        """
        source = source or transfer_source(self.run)
        if source.config.split_spec != self.config.split_spec:
            raise UsageError(f"{source.name} and {self.run.name} have not the same images.")
        changed = RunOnImages(source, None, self.data_dir).attacked("apgd-ce", epsilon).images.split(_BATCH)
        with torch.no_grad():
            right = [
                (self.scores(images).argmax(1) == labels) & (self.scores(attacked).argmax(1) == labels)
                for (images, labels), attacked in zip(self.batches(), changed, strict=True)
            ]
        return float(torch.cat(right).float().mean())

    def attacked_features(self, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
        """Features (N, D) of the images, and of the same ones after FGSM."""
        changed = self.attacked("fgsm", epsilon).images
        with torch.no_grad():
            parts = [
                torch.stack([self.embed(images), self.embed(attacked)])
                for (images, _), attacked in zip(self.batches(), changed.split(_BATCH), strict=True)
            ]
        clean, attacked = torch.cat(parts, dim=1).cpu().numpy()
        return clean, attacked

    @torch.no_grad()
    def corrupted_lengths(self) -> dict[str, np.ndarray]:
        """Feature lengths (1 + 5, N) by kind of corruption: of the images as they are, then at each
        strength."""
        network = load_network(self.run)
        generator = torch.Generator().manual_seed(derived_seed(self.config.seed, "corruption"))
        images = self.samples.images.cpu()

        def lengths(images: Tensor) -> np.ndarray:
            return np.asarray(network(images).norm(dim=1).numpy())

        clean = lengths(images)
        return {
            kind: np.stack([clean, *(lengths(corrupted(images, kind, s, generator)) for s in STRENGTHS)])
            for kind in KINDS
        }

    @folder_and_streams_kept()
    @torch.no_grad()
    def features_of(
        self, dataset: str, count: int
    ) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """Features (N, D) and labels (N,) of the first `count` training images of another data set, and of
        its first test images.

        Images are resized to those of the run; grey ones stand for each of its channels. Raises DataError
        where the data set cannot be read.
        """
        splits = load_splits(SplitSpec(dataset, 0, (), "test", 0), self.data_dir)
        network, (channels, *size) = load_network(self.run), self.config.input_shape

        def features(split: LabelledImages) -> tuple[np.ndarray, np.ndarray]:
            images, labels = split.at(slice(count))
            resized = F.interpolate(images.float(), size=size, mode="bilinear", antialias=True)
            return network(resized.expand(-1, channels, -1, -1)).numpy(), labels.numpy()

        return features(splits.train), features(splits.test)


def transfer_source(run: RunFolder) -> RunFolder:
    """The softmax run beside this one, of equal conditions and the other seed of a pair (0, 1; 2, 3 ...).

    A run does not share its first weights with that one, so all losses are attacked alike, softmax too.
    Raises RunError where it is not there or not complete.
    """
    seed = run.config.seed ^ 1
    for path in sorted(run.path.parent.glob(f"{BASE_LOSS}-*")):
        with contextlib.suppress(LossbenchError):  # a run that cannot be read is not a source
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
