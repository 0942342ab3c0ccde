"""From a trained network and loss to features, predictions and metrics."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..data import Splits, normalized
from ..losses import WeightedSum, class_means, class_scores
from ..metrics import measure
from ..records import Embedding, LabelledImages, Measured
from ..runs.config import RunConfig
from ..runs.measurement import measured
from ..specs import catalog
from .device import autocast

_BATCH = 1000
_QUICK_REFERENCE = 5000
"""Training samples whose class means judge the validation set after an epoch (all of them at the end)."""


@torch.inference_mode()
def embed(network: nn.Module, images: Tensor, precision: torch.dtype) -> Tensor:
    """Features (N, D) float32 of uint8 images (N, 1, H, W), by the network in evaluation mode."""
    was_training = network.training
    network.eval()
    with autocast(images.device, precision):
        parts = [network(normalized(images[i : i + _BATCH])) for i in range(0, len(images), _BATCH)]
    network.train(was_training)
    return torch.cat(parts)


def quick_look(
    network: nn.Module, loss: WeightedSum, splits: Splits, config: RunConfig, precision: torch.dtype
) -> dict[str, float]:
    """After an epoch, on validation: `val_accuracy` (a fraction), `spread`, `gap`; nothing without it."""
    if len(splits.val.labels) == 0:
        return {"val_accuracy": math.nan}
    means = None
    if loss.classifier() is None:
        reference = LabelledImages(*(part[:_QUICK_REFERENCE] for part in splits.train))
        means = class_means(embed(network, reference.images, precision), reference.labels, config.classes)
    features = embed(network, splits.val.images, precision)
    part = _embedding(features, splits.val.labels, class_scores(loss, features, means, config.rule), "val")
    seen = Measured(tested=part, reference=part, classes=config.classes)
    found = {"val_accuracy": float((part.predictions == part.labels).mean())}
    if np.isfinite(part.features).all():
        found |= {name: catalog.load("metrics", name)(seen) for name in ("spread", "gap")}
    return found


def evaluate(
    network: nn.Module, loss: WeightedSum, splits: Splits, config: RunConfig, precision: torch.dtype
) -> dict[str, Embedding]:
    """Features, labels and predictions of all splits (val absent when empty)."""
    parts = {name: part for name, part in splits._asdict().items() if len(part.labels)}
    features = {name: embed(network, part.images, precision) for name, part in parts.items()}
    means = None
    if loss.classifier() is None:
        means = class_means(features["train"], parts["train"].labels, config.classes)
    return {
        name: _embedding(
            features[name], part.labels, class_scores(loss, features[name], means, config.rule), name
        )
        for name, part in parts.items()
    }


def _embedding(features: Tensor, labels: Tensor, scores: Tensor, split: str) -> Embedding:
    """Arrays of one split; those that only serve as reference keep no scores."""
    return Embedding(
        features.cpu().numpy(),
        labels.cpu().numpy(),
        scores.argmax(1).cpu().numpy(),
        scores.float().cpu().numpy() if split in ("val", "test") else None,
    )


def judge(
    network: nn.Module, loss: WeightedSum, splits: Splits, config: RunConfig, precision: torch.dtype
) -> tuple[dict[str, Embedding], dict[str, Any]]:
    """Features of all splits, and what the result of a run says of them."""
    embeddings = evaluate(network, loss, splits, config, precision)
    found: dict[str, Any] = {f"{name}_accuracy": None for name in ("test", "val", "train")}
    for name in embeddings.keys() & {"train", "val", "test"}:
        part = embeddings[name]
        found[f"{name}_accuracy"] = float((part.predictions == part.labels).mean())
    found["metrics"] = measure(measured(embeddings, config, config.eval_split))
    if "unseen" in embeddings:
        found["unseen_classes"] = config.unseen_names
        apart = measured(embeddings, config, "unseen")
        found["unseen"] = measure(apart, catalog.names("metrics"))
    return embeddings, found
