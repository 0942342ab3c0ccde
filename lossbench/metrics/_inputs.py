"""What a metric is computed from. N samples, D feature dimension, C classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ..records import Embedding, Result

if TYPE_CHECKING:
    import numpy as np


class OnImages(Protocol):
    """What needs the trained network and the images of the evaluated split; see
    `runs.robustness.RunOnImages`."""

    def robust_accuracy(self, kind: str, epsilon: float) -> float:
        """The accuracy under a kind of attack that changes each pixel by at most epsilon, 1 being black to
        white."""

    def transfer_accuracy(self, epsilon: float) -> float:
        """The accuracy on images that an attack changed for the softmax run of the neighbouring seed."""

    def attacked_features(self, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
        """Features (N, D) of the images, and of the same ones after FGSM."""

    def corrupted_lengths(self) -> Mapping[str, np.ndarray]:
        """Feature lengths (strengths, N) by kind of corruption, those of the images as they are first."""

    def features_of(
        self, dataset: str, count: int
    ) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
        """Features (N, D) and labels (N,) of the first `count` training images of another data set, and of
        its first test images."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MetricInput:
    """What a metric is computed from: the features that it describes, and the training features as reference.

    classes: C. cosine: how the loss compares features, by direction or by Euclidean distance.
    probabilities: whether softmax of the scores is the loss's probability of each class. validation: the
    validation split; unknown: test samples of classes kept out of training; weight: class weights (C, D).
    on_images: what is computed from the network and the images themselves.
    """

    evaluated: Embedding
    reference: Embedding
    classes: int
    cosine: bool = False
    probabilities: bool = False
    validation: Embedding | None = None
    unknown: Embedding | None = None
    weight: np.ndarray | None = None
    on_images: OnImages | None = None
    _cache: dict[Callable[..., Any], Any] = field(default_factory=dict)

    @property
    def available(self) -> tuple[str, ...]:
        """Which of MetricSpec.needs are here."""
        scored, reference = self.evaluated.scores is not None, len(self.reference.labels) > 0
        probable, validation = scored and self.probabilities, self.validation
        available = {
            "features": True,
            "validation features": validation is not None,
            "reference": reference,
            "scores": scored,
            "probabilities": probable,
            "predictions": scored and reference,
            "weight": self.weight is not None,
            "validation": probable and validation is not None and validation.scores is not None,
            "images": self.on_images is not None,
            "unknown": self.unknown is not None and reference,
            "unknown scores": scored and self.unknown is not None and self.unknown.scores is not None,
        }
        return tuple(name for name, is_here in available.items() if is_here)

    @property
    def scores(self) -> np.ndarray:
        """The class scores (N, C) of a metric whose SPEC says that it needs them."""
        return declared(self.evaluated.scores)

    @property
    def validated(self) -> Embedding:
        """The validation split of a metric whose SPEC says that it needs it."""
        return declared(self.validation)

    def cached(self, compute: Callable[[MetricInput], Result]) -> Result:
        """`compute(self)`, computed once: what several metrics need, such as the distances of all pairs."""
        if compute not in self._cache:
            self._cache[compute] = compute(self)
        result: Result = self._cache[compute]
        return result


def declared(value: Result | None) -> Result:
    """A part of a `MetricInput`, for a metric whose SPEC says that it needs it."""
    assert value is not None, "declare what a metric needs in MetricSpec.needs"
    return value
