"""What packages hand to each other: images, features, snapshots, records of epochs (no torch at run time).

N samples, D feature dimension, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

Result = TypeVar("Result")
Part = Literal["train", "test"]


class LabelledImages(NamedTuple):
    """uint8 images (N, C, H, W) and int64 labels (N,).

    The `load` of a data set may give images of one channel as (N, H, W); `load_splits` adds the channel.
    One channel is a drawing, 0 the background and 255 the ink; three channels are red, green and blue.
    """

    images: Tensor
    labels: Tensor


class SplitSpec(NamedTuple):
    """What decides the splits of a data set: runs with the same one share them.

    val_size: images held out for validation. unseen: classes kept out of training. eval_split: with `val`
    the test files are never opened.
    """

    dataset: str
    val_size: int
    unseen: tuple[int, ...] = ()
    eval_split: str = "test"


class Embedding(NamedTuple):
    """Features (N, D) float32, labels (N,) int64 and predictions (N,) int64 of one split, as arrays.

    scores (N, C) float32, of which the largest is the prediction; None where they are not kept.
    """

    features: np.ndarray
    labels: np.ndarray
    predictions: np.ndarray
    scores: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class MetricInput:
    """What a metric is computed from: the features that it describes, and the training features as reference.

    classes: C. cosine: how the loss compares features, by direction or by Euclidean distance.
    probabilities: whether softmax of the scores is the loss's probability of each class.
    """

    evaluated: Embedding
    reference: Embedding
    classes: int
    cosine: bool = False
    probabilities: bool = False
    _cache: dict[Callable[..., Any], Any] = field(default_factory=dict)

    @property
    def available(self) -> tuple[str, ...]:
        """Which of MetricSpec.needs are here."""
        names = ["features"]
        if len(self.reference.labels):
            names.append("reference")
        if self.evaluated.scores is not None:
            names += ["scores", "probabilities"] if self.probabilities else ["scores"]
        return tuple(names)

    @property
    def scores(self) -> np.ndarray:
        """The class scores (N, C) of a metric whose SPEC says that it needs them."""
        assert self.evaluated.scores is not None, "declare what a metric needs in MetricSpec.needs"
        return self.evaluated.scores

    def cached(self, compute: Callable[[MetricInput], Result]) -> Result:
        """`compute(self)`, computed once: what several metrics need, such as the distances of all pairs."""
        if compute not in self._cache:
            self._cache[compute] = compute(self)
        result: Result = self._cache[compute]
        return result


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
