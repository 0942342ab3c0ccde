"""A finished run for Python code: its arrays, numbers and trained modules, read on first use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..records import EpochRecord
from ..specs import catalog
from .config import RunConfig
from .stored_run import StoredRun

if TYPE_CHECKING:
    from ..losses import WeightedSum
    from .model import TrainedNetwork


class Run:
    """A finished run, as `train`, `load` and `runs` of `lossbench` return it.

    Attributes:
        view: The same run as figures see it.
    """

    def __init__(self, view: StoredRun) -> None:
        self.view = view

    def __repr__(self) -> str:
        return f"<Run {self.name}: {' · '.join(filter(None, [self.view.title, self.view.caption]))}>"

    @property
    def name(self) -> str:
        """The name of its folder, which ends in its id."""
        return self.view.name

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.view.folder.path

    @property
    def config(self) -> RunConfig:
        """All options that decide what was learned."""
        return self.view.config

    @property
    def metrics(self) -> Mapping[str, float]:
        """Accuracies (fractions), `seconds` of training, and every metric that was measured, by name.

        `lossbench.specs.catalog.spec("metrics", name).unit` is the unit of a metric.
        """
        return self.view.numbers

    def measure(self, *names: str) -> Mapping[str, float | None]:
        """Metrics of the test split by name, also those that training leaves out; they are stored as well.

        None where one is not defined for the run. Raises UsageError for an unknown metric.
        """
        from .measurement import measure_stored

        for name in names:
            catalog.spec("metrics", name)
        return measure_stored(self.view.folder, names)

    @property
    def history(self) -> Sequence[EpochRecord]:
        """One record per epoch: learning rate, losses, validation accuracy (a fraction), seconds."""
        return self.view.epochs

    @property
    def features(self) -> Mapping[str, np.ndarray]:
        """Features (N, D) float32 of the splits `train`, `val`, `test` and `unseen` that the run has."""
        return {split: embedding.features for split, embedding in self.view.splits.items()}

    @property
    def labels(self) -> Mapping[str, np.ndarray]:
        """Labels (N,) int64 of each split, numbered as in the data set."""
        return {split: embedding.labels for split, embedding in self.view.splits.items()}

    @property
    def predictions(self) -> Mapping[str, np.ndarray]:
        """Predicted labels (N,) int64 of each split."""
        return {split: embedding.predictions for split, embedding in self.view.splits.items()}

    @cached_property
    def images(self) -> Mapping[str, np.ndarray]:
        """Images (N, channels, height, width) uint8 of each split, in the order of its features; of a data
        set of features these (N, D0) float32.

        Raises DataError where the data set cannot be read.
        """
        return _ReadOnFirstUse(list(self.view.splits), lambda split: self.view.samples(split).numpy())

    @cached_property
    def network(self) -> TrainedNetwork:
        """The trained network: images, as in `images`, to features (N, D). See `TrainedNetwork`.

        A class of your own is imported, which runs its code. Raises RunError for a damaged file, or where
        that code has changed.
        """
        return self.view.load_network()

    @property
    def loss(self) -> WeightedSum:
        """The trained loss, with class weights or centers: features (B, D) and labels (B,) to a scalar.

        Labels are numbered as in training: `config.labels` has that of the data set for each. A class of
        your own is imported, which runs its code. Raises RunError for a damaged file, or where that code
        has changed.
        """
        return self.view.loss


class _ReadOnFirstUse(Mapping[str, np.ndarray]):
    """Arrays by name that `read` gives one at a time."""

    def __init__(self, names: Sequence[str], read: Callable[[str], np.ndarray]) -> None:
        self.names, self.read, self.arrays = names, read, dict[str, np.ndarray]()

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.names:
            raise KeyError(name)
        if name not in self.arrays:
            self.arrays[name] = self.read(name)
        return self.arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)
