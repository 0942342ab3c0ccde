"""Stored runs as figures and pages see them; arrays are read or computed on first use."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import CodeFailed, RunError, code_of_user
from ..records import Embedding, EpochRecord, Snapshots
from ..specs import Value, plugins
from ..specs.quantities import UNSEEN, format_value
from .config import RUN_OPTIONS, RunConfig, dataset_spec
from .outcome import Outcome
from .result import Status
from .run_folder import RunFolder
from .store import Store

if TYPE_CHECKING:
    from torch import Tensor

    from ..losses import WeightedSum
    from .model import TrainedNetwork


class UntrainedRun:
    """What a RunView knows without training: the loss at its settings.

    conditions: see RunView.
    """

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self.name, self.title, self.subtitle = config.loss, config.title, config.subtitle
        self.seed, self.dim = config.seed, config.feature_dim
        self.trained = config.labels[: config.classes]
        self.class_names = dataset_spec(config.dataset).classes
        self.external = any(term.external for term in config.terms)
        self.conditions = ""

    @property
    def cosine(self) -> bool:
        """See RunView; a loss from outside says so only to those who train with it."""
        terms = [term for term in self.config.terms if not term.external]
        return any(term.spec.angular for term in terms)

    @cached_property
    def settings(self) -> Mapping[str, Value]:
        """See RunView; a term's setting is named as in `--set`, with the term where two have it. An option is
        in words where its value is no number, like 'all' for a training set that was not limited."""
        config = self.config
        fields = {name: getattr(config, name) for name in RUN_OPTIONS} | {"unseen": config.unseen_names}
        settings: dict[str, Value] = {"loss": config.loss}  # its own first: figures prefer them for an axis
        if any(term.has_weight for term in config.terms):
            settings["lambda"] = config.value_of("lambda")
        for term in config.terms:
            for key, value in term.settings:
                settings[config.setting_name(f"{term.name}.{key}")] = value
        settings |= {name: RUN_OPTIONS[name].shown(value) for name, value in fields.items() if name != "seed"}
        return settings

    @property
    def numbers(self) -> Mapping[str, float]:
        """None: nothing is measured before training."""
        return {}

    def target_logits(self) -> tuple[np.ndarray, np.ndarray] | None:
        """See RunView."""
        from ..losses import target_curve

        term = self.config.terms[0]
        if term.external or term.spec.kind != "classifier" or not term.spec.angular:
            return None
        return target_curve(term.name, dict(term.settings))


class StoredRun(UntrainedRun):
    """A RunView of a run in the store. Raises RunError for one that is not complete."""

    def __init__(self, folder: RunFolder, data_dir: Path | None = None) -> None:
        result = folder.done_result()
        if result is None:
            raise RunError(f"{folder.name} has no features to draw: it is not complete.")
        super().__init__(folder.config)
        self.name = folder.name
        self.folder, self.data_dir, self.result = folder, data_dir, result

    @cached_property
    def outcome(self) -> Outcome:
        """The run as a command that trained it has it, with the metrics that were measured later."""
        metrics, unseen = dict(self.result.metrics), dict(self.result.unseen)
        for name, value in self.folder.metrics().items():
            (unseen if name.startswith(UNSEEN) else metrics)[name.removeprefix(UNSEEN)] = value
        result = dataclasses.replace(self.result, metrics=metrics, unseen=unseen)
        return Outcome(self.config, result.status, result)

    @property
    def numbers(self) -> Mapping[str, float]:
        """See RunView."""
        return self.outcome.numbers

    @cached_property
    def epochs(self) -> Sequence[EpochRecord]:
        """See RunView."""
        return self.folder.epochs()

    @cached_property
    def _stored(self) -> tuple[dict[str, Embedding], dict[str, np.ndarray]]:
        return self.folder.features()

    @property
    def splits(self) -> Mapping[str, Embedding]:
        """See RunView."""
        label = np.array(self.config.labels)  # of each class as training numbers them
        return {
            name: split._replace(labels=label[split.labels], predictions=label[split.predictions])
            for name, split in self._stored[0].items()
        }

    @property
    def weight(self) -> np.ndarray | None:
        """See RunView."""
        return self._by_label(self._stored[1].get("weight"), 2)

    @property
    def centers(self) -> np.ndarray | None:
        """See RunView."""
        return self._by_label(self._stored[1].get("centers"), 2)

    @cached_property
    def snapshots(self) -> Snapshots | None:
        """See RunView."""
        stored = self.folder.snapshots()
        if stored is None:
            return None
        directions = {name: self._by_label(rows, 3) for name, rows in stored.directions.items()}
        return stored._replace(
            labels=np.array(self.config.labels)[stored.labels],
            directions={name: rows for name, rows in directions.items() if rows is not None},
        )

    @property
    def caption(self) -> str:
        """See RunView."""
        shown = self.config.unseen and "unseen" not in self.conditions
        unseen = f"unseen {self.config.unseen_names}" if shown else ""
        split = self.config.eval_split
        accuracy = format_value(f"{split}_accuracy", self.result.accuracy(split), unit=True)
        parts = [self.subtitle, unseen, self.conditions, f"{accuracy} {split}, seed {self.seed}"]
        return " · ".join(filter(None, parts))

    def images(self, split: str) -> np.ndarray:
        """See RunView; features as pictures of their values. Raises DataError where data cannot be read."""
        from ..data import pictures_of

        return pictures_of(self.samples(split), dataset_spec(self.config.dataset))

    def samples(self, split: str) -> Tensor:
        """What the network is given, before it is normalized: images (N, C, H, W) uint8 or features (N, D0)
        float32, in the order of the features. Raises DataError where data cannot be read."""
        from ..data import load_stored_splits, under_conditions

        config = self.config
        splits = load_stored_splits(config.split_spec, self.data_dir)
        splits = under_conditions(splits, config.training_conditions, config.seed)
        samples: Tensor = getattr(splits, split).images
        return samples

    def attacked_features(self, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
        """See RunView. Raises DataError where data cannot be read."""
        from .robustness import RunOnImages

        if len(self.config.input_shape) != 3:
            raise RunError(f"{self.name} was trained on feature vectors; only images can be attacked.")
        self.folder.check_code()
        on_images = RunOnImages(self.folder, self._stored[0]["train"], self.data_dir)
        with self._code_of_user("The images cannot be attacked"):
            return on_images.attacked_features(epsilon)

    @cached_property
    def loss(self) -> WeightedSum:
        """The trained loss. Raises RunError for a damaged file, or where a user's code has changed."""
        from .model import load_loss

        self.folder.check_code(network=False)
        return load_loss(self.folder)

    @property
    def training_means(self) -> Tensor | None:
        """The means (C, D) of the training features by class, by which a loss without class scores
        classifies; None for one that has these."""
        import torch

        from ..losses import class_means

        if self.loss.classifier() is not None:
            return None
        train = self._stored[0]["train"]
        features, labels = torch.from_numpy(train.features), torch.from_numpy(train.labels)
        return class_means(features, labels, self.config.classes)

    def load_network(self) -> TrainedNetwork:
        """The trained network. Raises RunError for a damaged file, or where a user's code has changed."""
        from .model import load_network

        self.folder.check_code(loss=False)
        return load_network(self.folder)

    @plugins.folder_and_streams_kept()
    def scores(self, points: np.ndarray) -> np.ndarray:
        """See RunView."""
        import torch

        from ..losses import class_scores

        features, loss = torch.from_numpy(points).float(), self.loss
        with self._code_of_user("The class scores cannot be computed"):
            return np.asarray(class_scores(loss, features, self.training_means, self.config.rule).numpy())

    @plugins.folder_and_streams_kept()
    def loss_values(self, points: np.ndarray, label: int) -> tuple[np.ndarray, np.ndarray]:
        """See RunView. Raises RunError for a loss on pairs, which has no value for one sample."""
        if all(term.spec.kind == "pairs" for term in self.config.terms):
            raise RunError(f"{self.title} compares samples with each other; one alone has no loss.")
        from ..losses import values_and_gradients

        loss = self.loss
        with self._code_of_user("The loss cannot be computed for each point"):
            return values_and_gradients(loss, points, self.config.labels.index(label))

    def _code_of_user(self, what: str) -> contextlib.AbstractContextManager[None]:
        """Turn what a loss from outside raises into CodeFailed."""
        failed = f"{self.title}: {what}"
        return code_of_user(failed, CodeFailed) if self.external else contextlib.nullcontext()

    def _by_label(self, directions: np.ndarray | None, dimensions: int) -> np.ndarray | None:
        """Directions (..., C, D) at the rows of their labels, NaN for classes without any; None for what is
        not an array of this number of dimensions with one direction per class."""
        labels, shape = np.array(self.config.labels), (self.config.classes, self.dim)
        if directions is None or directions.ndim != dimensions or directions.shape[-2:] != shape:
            return None
        placed = np.full((*directions.shape[:-2], len(labels), directions.shape[-1]), np.nan)
        placed[..., labels[: directions.shape[-2]], :] = directions
        return placed


def done_runs(store: Store, outcomes: Iterable[Outcome]) -> list[StoredRun]:
    """The runs of the outcomes that are done."""
    return [StoredRun(store.run(each.config)) for each in outcomes if each.status is Status.DONE]
