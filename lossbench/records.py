"""What packages pass to each other (no torch at run time): images, features, snapshots, records of epochs,
a run as figures see it, an observer of training.

N samples, D feature dimension, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


Result = TypeVar("Result")
Part = Literal["train", "test"]


class LabelledImages(NamedTuple):
    """uint8 images (N, C, H, W), or float32 features (N, D0) in their place, and int64 labels (N,).

    The `load` of a data set may give images of one channel as (N, H, W); `load_splits` adds the channel.
    One channel is a drawing, 0 the background and 255 the ink; three channels are red, green and blue.
    """

    images: Tensor
    labels: Tensor

    def at(self, index: Tensor | slice) -> LabelledImages:
        """The samples that an index, a mask or a slice chooses."""
        return LabelledImages(self.images[index], self.labels[index])


class SplitSpec(NamedTuple):
    """What decides the splits of a data set: runs with the same one share them.

    val_size: images held out for validation. unseen: classes kept out of training. eval_split: with `val`
    the test files are never opened. image_size: the side to which a folder's images are resized, 0 for none.
    """

    dataset: str
    val_size: int
    unseen: tuple[int, ...] = ()
    eval_split: str = "test"
    image_size: int = 0


class TrainingConditions(NamedTuple):
    """What changes the training split of a run, and no other.

    train_size: samples that are kept, each class in proportion; 0: all. imbalance: of how many samples of
    class 0 there is one of class C - 1; the classes between lie on an exponential. label_noise: the fraction
    of labels that are wrong; noise_kind: `symmetric`, any other class, or `pair`, the next one.
    """

    train_size: int = 0
    imbalance: float = 1.0
    label_noise: float = 0.0
    noise_kind: str = "symmetric"


class Embedding(NamedTuple):
    """Features (N, D) float32, labels (N,) int64 and predictions (N,) int64 of one split, as arrays.

    scores (N, C) float32, of which the largest is the prediction; None where they are not kept.
    """

    features: np.ndarray
    labels: np.ndarray
    predictions: np.ndarray
    scores: np.ndarray | None = None

    def emptied(self) -> Embedding:
        """An embedding like this one, with no samples and no scores."""
        return Embedding(self.features[:0], self.labels[:0], self.predictions[:0])


class Snapshots(NamedTuple):
    """The same n test images at T moments of training.

    epochs (T,): how many were complete, with fractions. places (n,): the numbers of the images in the test
    split; labels (n,). features (T, n, D) and scores (T, n, C), float32. directions: `weight` and `centers`
    (T, C, D), those that the loss has.
    """

    epochs: np.ndarray
    places: np.ndarray
    labels: np.ndarray
    features: np.ndarray
    scores: np.ndarray
    directions: Mapping[str, np.ndarray]

    def directions_at(self, moment: int) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Class weights and class centers (C, D) at a moment; None for what the loss does not have."""
        weight, centers = (self.directions.get(name) for name in ("weight", "centers"))
        return (None if weight is None else weight[moment]), (None if centers is None else centers[moment])


class EpochRecord(NamedTuple):
    """One line of epochs.csv. Losses are means over the epoch; accuracy is a fraction, NaN without val,
    as are spread and gap of the validation features."""

    epoch: int
    learning_rate: float
    loss: float
    terms: Mapping[str, float]
    val_accuracy: float
    seconds: float
    images_per_second: float
    spread: float = math.nan
    gap: float = math.nan


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
    def settings(self) -> Mapping[str, float | int | bool | str]:
        """Everything but the seed that decides what is learned: `loss`, `lambda`, `network`, `epochs` ..."""

    @property
    def caption(self) -> str:
        """Settings, unseen classes, conditions where these differ, accuracy and seed, between ' · '."""

    @property
    def conditions(self) -> str:
        """How the run differs from those beside it, apart from loss, settings and seed, like 'epochs 2'."""

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
        """Class centers (C, D)."""

    @property
    def snapshots(self) -> Snapshots | None:
        """Features at moments of training, if the run kept any (`--snapshots`)."""

    def images(self, split: str) -> np.ndarray:
        """The images (N, C, H, W) uint8 of a split, in the order of its features."""

    def attacked_features(self, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
        """Features (n, D) of the first n test images as they are, and after an attack by FGSM that changes
        each pixel by at most `epsilon`, 1 being from black to white."""

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
        """A run begins: its epochs, the steps of each, and the steps `done` before, if it is continued."""

    def stepped(self, run: str, steps: int) -> None:
        """How many steps of the run are done, counted from its beginning."""

    def finished_epoch(self, run: str, record: EpochRecord) -> None:
        """An epoch is over and saved."""


class NullObserver:
    """An observer that does nothing."""

    def started(self, run: str, epochs: int, steps: int, done: int) -> None:
        """Nothing."""

    def stepped(self, run: str, steps: int) -> None:
        """Nothing."""

    def finished_epoch(self, run: str, record: EpochRecord) -> None:
        """Nothing."""
