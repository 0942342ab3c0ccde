"""A run in memory for the tests of figures: everything a RunView has, from a few chosen arrays."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from lossbench.errors import RunError
from lossbench.records import Embedding, EpochRecord, Snapshots

DIGITS = tuple("0123456789")


def directions(classes: int = 10, dim: int = 2) -> np.ndarray:
    """Unit vectors (C, D): evenly on a circle for D = 2, random ones beyond."""
    if dim == 2:
        angles = 2 * np.pi * np.arange(classes) / classes
        return np.column_stack([np.cos(angles), np.sin(angles)])
    found = np.random.RandomState(1).randn(classes, dim)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def embedding(
    count: int = 200, *, classes: int = 10, dim: int = 2, noise: float = 0.1, seed: int = 0
) -> Embedding:
    """Clusters of radius `noise` around five times the directions; every 20th prediction is wrong."""
    random = np.random.RandomState(seed)
    labels = np.arange(count) % classes
    points = 5 * directions(classes, dim)[labels] + noise * random.randn(count, dim)
    scores = points @ directions(classes, dim).T
    predictions = labels.copy()
    predictions[::20] = (labels[::20] + 1) % classes
    return Embedding(points.astype(np.float32), labels, predictions, scores.astype(np.float32))


def epoch_records(count: int = 5, *, seed: int = 0) -> list[EpochRecord]:
    """A training in which everything falls or rises smoothly, a little differently for each seed."""
    return [
        EpochRecord(
            epoch=n + 1,
            learning_rate=0.01 * (1 - n / count),
            loss=2.0 / (n + 1) + 0.01 * seed,
            terms={"softmax": 1.5 / (n + 1), "center": 0.5 / (n + 1) + 0.01 * seed},
            val_accuracy=1 - 0.1 / (n + 1) - 0.001 * seed,
            seconds=4.0,
            images_per_second=15000.0,
            spread=1.0 / (n + 1),
            gap=5.0 + n,
        )
        for n in range(count)
    ]


def snapshots(moments: int = 4, count: int = 60) -> Snapshots:
    """Clusters that move outwards from the origin."""
    part = embedding(count)
    growth = np.arange(moments) / (moments - 1)
    return Snapshots(
        epochs=np.linspace(0, 5, moments),
        places=np.arange(count) * 3,
        labels=part.labels,
        features=(growth[:, None, None] * part.features).astype(np.float32),
        scores=(growth[:, None, None] * part.scores).astype(np.float32),
        directions={"weight": np.repeat(directions()[None], moments, axis=0)},
    )


@dataclass
class View:
    """A RunView whose every part can be given; the scores are those of `weight`, the loss is softmax's."""

    name: str = "center-0123456789"
    title: str = "Center"
    subtitle: str = "λ = 0.003, α = 0.5"
    seed: int = 0
    settings: dict = field(default_factory=lambda: {"loss": "center", "lambda": 0.003, "alpha": 0.5})
    class_names: tuple = DIGITS
    cosine: bool = False
    external: bool = False
    conditions: str = ""
    numbers: dict = field(
        default_factory=lambda: {"test_accuracy": 0.99, "nn-accuracy": 0.985, "spread-gap": 0.2}
    )
    epochs: list = field(default_factory=epoch_records)
    splits: dict = field(default_factory=lambda: {"train": embedding(400), "test": embedding(200, seed=1)})
    weight: np.ndarray | None = field(default_factory=directions)
    centers: np.ndarray | None = None
    snapshots: Snapshots | None = None
    pictures: np.ndarray | None = None
    curve: tuple | None = None

    @property
    def dim(self) -> int:
        return self.splits["train"].features.shape[1]

    @property
    def trained(self) -> tuple[int, ...]:
        return tuple(int(label) for label in np.unique(self.splits["train"].labels))

    @property
    def caption(self) -> str:
        return f"{self.subtitle} · {100 * self.numbers['test_accuracy']:.2f} % test, seed {self.seed}"

    def images(self, split: str) -> np.ndarray:
        if self.pictures is None:
            raise RunError("no images")
        return self.pictures if self.pictures.ndim == 4 else self.pictures[:, None]

    def attacked_features(self, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
        """The first 150 test features, and the same ones, each third moved most of the way to the next class."""
        clean = self.splits["test"].features[:150]
        step = 8 * epsilon * 5 * (np.roll(directions(), -1, axis=0) - directions())
        moved = clean + (np.arange(150) % 3 == 0)[:, None] * step[self.splits["test"].labels[:150]]
        return clean, moved.astype(np.float32)

    def scores(self, points: np.ndarray) -> np.ndarray:
        return points @ self.weight.T

    def loss_values(self, points: np.ndarray, label: int) -> tuple[np.ndarray, np.ndarray]:
        logits = self.scores(points)
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = shifted / shifted.sum(axis=1, keepdims=True)
        own = np.zeros_like(probabilities)
        own[:, label] = 1
        return -np.log(probabilities[:, label]), (probabilities - own) @ self.weight

    def target_logits(self) -> tuple[np.ndarray, np.ndarray] | None:
        return self.curve
