"""What packages expect of each other: an observer of training, and a run as figures see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np

    from .records import Embedding, EpochRecord, Snapshots
    from .specs import Value


class RunView(Protocol):
    """A stored run as figures and pages see it; arrays are read on first use.

    Classes are numbered as in the data set; arrays by class have a row of NaN for one never trained on.
    Whatever a run does not have is a RunError that says so, unless None is allowed.
    """

    @property
    def name(self) -> str:
        """The run's folder, which holds its id."""

    @property
    def title(self) -> str:
        """The name of the loss for people."""

    @property
    def subtitle(self) -> str:
        """Its settings in the papers' letters, like 'λ = 0.003, α = 0.5'."""

    @property
    def seed(self) -> int:
        """The seed."""

    @property
    def settings(self) -> Mapping[str, Value]:
        """All that decides what is learned but the seed: `loss`, `lambda`, `network`, `epochs` ..."""

    @property
    def caption(self) -> str:
        """Settings, unseen classes, accuracy, and conditions and seed where these differ, between ' · '."""

    @property
    def conditions(self) -> str:
        """In what the run differs from those beside it, loss, settings and seed aside, like 'epochs 2'."""

    @property
    def dim(self) -> int:
        """D, the feature dimension."""

    @property
    def trained(self) -> tuple[int, ...]:
        """The classes trained on, as the data set numbers them."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the classes of the data set are called."""

    @property
    def external(self) -> bool:
        """Whether `scores` and `loss_values` run code from outside this package; nothing else does."""

    @property
    def cosine(self) -> bool:
        """Whether the loss compares features by direction."""

    @property
    def numbers(self) -> Mapping[str, float]:
        """The result in numbers: `test_accuracy` (a fraction), `seconds`, every metric by name."""

    @property
    def epochs(self) -> Sequence[EpochRecord]:
        """What was recorded after each epoch."""

    @property
    def splits(self) -> Mapping[str, Embedding]:
        """Features (N, D), labels and predictions of `train`, `val`, `test` and `unseen`, where present."""

    @property
    def weight(self) -> np.ndarray | None:
        """Class weights (C, D)."""

    @property
    def centers(self) -> np.ndarray | None:
        """Class centres (C, D)."""

    @property
    def snapshots(self) -> Snapshots | None:
        """Features at moments of training, if the run kept any (`--snapshots`)."""

    def images(self, split: str) -> np.ndarray:
        """The images (N, C, H, W) uint8 of a split, in the order of its features."""

    def scores(self, points: np.ndarray) -> np.ndarray:
        """Scores of the classes `trained` (N, C), without margin, that the run gives to features (N, D)."""

    def loss_values(self, points: np.ndarray, label: int) -> tuple[np.ndarray, np.ndarray]:
        """The trained loss (N,) of each feature (N, D) alone, were `label` its class, and its gradient
        (N, D)."""

    def target_logits(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Angles (n,) in radians and the target logit over the scale there (n,), from the loss's own code;
        None for a loss without a direction per class."""


class Observer(Protocol):
    """What follows a training: the progress display, or a queue to it."""

    def started(self, run: str, epochs: int, steps: int, done: int) -> None:
        """A run begins: so many epochs of so many steps, `done` steps of it already taken."""

    def stepped(self, run: str, steps: int) -> None:
        """So many steps of the run are done, counted from its very beginning."""

    def finished_epoch(self, run: str, record: EpochRecord) -> None:
        """An epoch is over and saved."""


class Silent:
    """An observer that does nothing."""

    def started(self, run: str, epochs: int, steps: int, done: int) -> None:
        """Nothing."""

    def stepped(self, run: str, steps: int) -> None:
        """Nothing."""

    def finished_epoch(self, run: str, record: EpochRecord) -> None:
        """Nothing."""
