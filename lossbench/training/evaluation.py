"""From a network and a loss to features, predictions and metrics."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..data import Splits, normalize
from ..errors import UsageError
from ..losses import WeightedSum, class_means, class_scores
from ..metrics import MetricInput
from ..records import Embedding
from ..runs.config import RunConfig, dataset_spec
from ..runs.measurement import measure_split
from ..specs import catalog
from .device import autocast

_BATCH = {"cpu": 1000}
"""Samples at a time, elsewhere 10 000: a GPU waits for the launches of small batches."""
_REFERENCE = 5000
"""Training images whose class means classify after an epoch; at the end of training all of them do."""


@dataclass(frozen=True, eq=False)
class Evaluator:
    """Applies a network and a loss to the splits of a run."""

    network: nn.Module
    loss: WeightedSum
    splits: Splits
    config: RunConfig
    precision: torch.dtype

    @torch.inference_mode()
    def embed(self, images: Tensor) -> Tensor:
        """Features (N, D) float32 of samples (N, ...), by the network in evaluation mode."""
        data, was_training = dataset_spec(self.config.dataset), self.network.training
        self.network.eval()
        with autocast(images.device, self.precision):
            parts = images.split(_BATCH.get(images.device.type, 10_000))
            batches = [self.network(normalize(batch, data)).float() for batch in parts]
        self.network.train(was_training)
        return torch.cat(batches)

    def scores(self, features: Tensor, means: Tensor | None) -> Tensor:
        """Class scores (N, C) of features (N, D), by the loss in evaluation mode or else by the class means
        (C, D).

        Raises UsageError where `logits` of a user's loss does not return class scores.
        """
        was_training = self.loss.training
        self.loss.eval()
        scores: object = class_scores(self.loss, features, means, self.config.rule)
        self.loss.train(was_training)
        if not isinstance(scores, Tensor) or scores.shape != (len(features), self.config.classes):
            found = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
            raise UsageError(
                f"logits of {self.config.loss} returns {found} for {len(features)} samples; it must return "
                f"class scores of the shape ({len(features)}, {self.config.classes})."
            )
        return scores

    def class_means(self, count: int | None = None, features: Tensor | None = None) -> Tensor | None:
        """Class means (C, D) of the first `count` training images, None for a loss with scores of its own.

        `features` are those of all training images, where they are known already.
        """
        if self.loss.classifier() is not None:
            return None
        images, labels = (array[:count] for array in self.splits.train)
        return class_means(self.embed(images) if features is None else features, labels, self.config.classes)

    def validate(self) -> dict[str, float]:
        """`val_accuracy` (a fraction), `spread` and `gap` of the validation split, where there is one."""
        if len(self.splits.val.labels) == 0:
            return {"val_accuracy": math.nan}
        means = self.class_means(_REFERENCE)
        val = self._embedding("val", self.embed(self.splits.val.images), means)
        measured = MetricInput(evaluated=val, reference=val, classes=self.config.classes)
        numbers = {"val_accuracy": _accuracy(val)}
        if np.isfinite(val.features).all():
            numbers |= {name: catalog.load("metrics", name)(measured) for name in ("spread", "gap")}
        return numbers

    def evaluate(self) -> dict[str, Embedding]:
        """Features, labels and predictions of every split that is not empty."""
        splits = {name: split for name, split in self.splits._asdict().items() if len(split.labels)}
        features = {name: self.embed(split.images) for name, split in splits.items()}
        means = self.class_means(features=features["train"])
        return {name: self._embedding(name, values, means) for name, values in features.items()}

    def results(self, embeddings: dict[str, Embedding]) -> dict[str, Any]:
        """Accuracies and metrics of embeddings, by the names of their fields in a result."""
        config = self.config
        results: dict[str, Any] = {
            f"{name}_accuracy": _accuracy(embeddings[name]) if name in embeddings else None
            for name in ("test", "val", "train")
        }
        results["metrics"] = measure_split(embeddings, config, config.eval_split)
        if "unseen" in embeddings:
            results["unseen_classes"] = config.unseen_names
            results["unseen"] = measure_split(embeddings, config, "unseen", catalog.names("metrics"))
        return results

    def _embedding(self, split: str, features: Tensor, means: Tensor | None) -> Embedding:
        """Arrays of one split; scores not of the training split, on which no metric is measured."""
        scores = self.scores(features, means)
        return Embedding(
            features.cpu().numpy(),
            self.splits._asdict()[split].labels.cpu().numpy(),
            scores.argmax(1).cpu().numpy(),
            scores.float().cpu().numpy() if split != "train" else None,
        )


def _accuracy(embedding: Embedding) -> float:
    return float((embedding.predictions == embedding.labels).mean())
