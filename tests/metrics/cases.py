"""What the tests of metrics share: embeddings by hand and at random."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from lossbench.metrics import MetricInput
from lossbench.records import Embedding
from lossbench.specs import catalog

BASIC = ("features", "validation features", "reference", "scores", "probabilities")
METRICS = [name for name in catalog.names("metrics") if catalog.spec("metrics", name).needs in BASIC]
"""The metrics of one split and its reference; test_parts.py tests those that need more."""
DIMENSIONS = [1, 2, 3, 8, 40]


def embedding(
    features: object, labels: object, predictions: object | None = None, scores: object | None = None
) -> Embedding:
    labels = np.asarray(labels, dtype=np.int64)
    predicted = labels if predictions is None else np.asarray(predictions, dtype=np.int64)
    given = None if scores is None else np.asarray(scores, dtype=np.float32)
    return Embedding(np.asarray(features, dtype=np.float32), labels, predicted, given)


def metric_input(**given: Any) -> MetricInput:
    """The input of a metric; the validation split is the one under test unless it is given."""
    return MetricInput(**{"validation": given["evaluated"], **given})


def measured_of(features: object, labels: object, cosine: bool = False) -> MetricInput:
    """A split that is its own reference."""
    part = embedding(features, labels)
    return metric_input(evaluated=part, reference=part, classes=int(part.labels.max()) + 1, cosine=cosine)


def changed(measured: MetricInput, **changes: Any) -> MetricInput:
    return dataclasses.replace(measured, **changes, _cache={})


def compute(name: str, measured: MetricInput) -> float:
    value = catalog.load("metrics", name)(measured)
    assert isinstance(value, float)
    return value


def random_measured(seed: int, dim: int, classes: int = 7, cosine: bool = False) -> MetricInput:
    """150 training and 90 tested features around random centers, no ties."""
    random = np.random.RandomState(seed)
    centers = 3 * random.randn(classes, dim)

    def part(count: int) -> Embedding:
        labels = np.concatenate([np.arange(classes), random.choice(classes, count - classes)])
        features = centers[labels] + random.randn(count, dim) * (0.2 + labels[:, None])
        scores = (random.randn(count, classes) + 2 * np.eye(classes)[labels]).astype(np.float32)
        return embedding(features, labels, scores.argmax(1), scores)

    return metric_input(
        reference=part(150), evaluated=part(90), classes=classes, cosine=cosine, probabilities=True
    )


def on_rays(seed: int, dim: int, cosine: bool) -> MetricInput:
    """60 samples at 8 random places, or under cosine on 8 random rays at different lengths: many coincide."""
    random = np.random.RandomState(seed)
    features = random.randint(-1000, 1000, (8, dim))[random.choice(8, 60)]
    if cosine:
        features = features * random.randint(1, 20, (60, 1))  # whole numbers keep float32 on the ray
    return measured_of(features, random.choice(4, 60), cosine)
