"""From a trained network and loss to features, predictions and metrics."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from . import catalog
from .config import RunConfig
from .errors import RunError
from .geometry import normalize
from .losses._weighted_sum import WeightedSum
from .records import Embedding, LabelledImages, Measured
from .runtime import autocast
from .splits import Splits, normalized
from .store import RunFolder

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


@torch.inference_mode()
def class_scores(loss: WeightedSum, features: Tensor, means: Tensor | None, rule: str) -> Tensor:
    """Scores (N, C), the largest of which is the prediction, by `rule`: the loss's own, margin-free, or
    the cosine to, or minus the distance to, the class means (C, D)."""
    classifier = loss.classifier()
    if means is None and classifier is not None:
        scores: Tensor = classifier.logits(features)  # type: ignore[operator]
        return scores
    assert means is not None, "a loss without classes is judged by class means"
    if "cosine" in rule:
        return normalize(features) @ normalize(means).T
    return -torch.cdist(features, means, compute_mode="donot_use_mm_for_euclid_dist")


def scores_of_points(
    loss: WeightedSum, points: np.ndarray, train: Embedding, config: RunConfig
) -> np.ndarray:
    """Class scores (N, C) of any features (N, D), given the run's training features."""
    means = None
    if loss.classifier() is None:
        means = class_means(torch.from_numpy(train.features), torch.from_numpy(train.labels), config.classes)
    found: np.ndarray = class_scores(loss, torch.from_numpy(points).float(), means, config.rule).numpy()
    return found


def class_means(features: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Mean feature of each class (C, D); infinitely far for a class without samples."""
    means = torch.full((classes, features.shape[1]), torch.inf, device=features.device)
    for label in labels.unique():
        means[label] = features[labels == label].mean(0)
    return means


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
    found["metrics"] = measure(measured(embeddings, config, config.judged_on))
    if "unseen" in embeddings:
        found["unseen_classes"] = config.unseen_names
        apart = measured(embeddings, config, "unseen")
        found["unseen"] = measure(apart, catalog.names("metrics"))
    return embeddings, found


def measured(embeddings: Mapping[str, Embedding], config: RunConfig, split: str) -> Measured:
    """What metrics see of a run: one split, with the training split as reference.

    Unseen classes are seen alone: nothing of training helps to tell them apart.
    """
    train, apart = embeddings["train"], split == "unseen"
    return Measured(
        tested=embeddings[split]._replace(scores=None) if apart else embeddings[split],
        reference=Embedding(*(array[:0] for array in train[:3])) if apart else train,
        classes=len(config.unseen) if apart else config.classes,
        cosine=config.cosine,
        probabilities=config.probabilities,
    )


def measure(measured: Measured, names: Iterable[str] | None = None) -> dict[str, float]:
    """The named metrics (None: all cheap ones), by name, as far as `measured` has what they need.

    Raises ValueError for features that are not finite: their distances would be meaningless.
    """
    for part in (measured.reference, measured.tested):
        if not np.isfinite(part.features).all():
            raise ValueError("features are not finite")
    specs = {name: catalog.spec("metrics", name) for name in catalog.names("metrics")}
    chosen = [name for name, spec in specs.items() if spec.cheap] if names is None else names
    return {
        name: float(catalog.load("metrics", name)(measured))
        for name in chosen
        if specs[name].needs in measured.offers
    }


def measure_stored(run: RunFolder, names: Sequence[str], *, unseen: bool = False) -> dict[str, float | None]:
    """The named metrics of a finished run, from its stored features; measured once, then remembered.

    None where a metric is not defined for the run. Raises RunError for features that cannot be read.
    """
    split, before = ("unseen", "unseen-") if unseen else (run.config.judged_on, "")
    known = run.metrics()
    if missing := [name for name in names if before + name not in known]:
        embeddings, _ = run.features()
        if split not in embeddings:
            raise RunError(f"{run.path / 'features.npz'} has no {split} features.")
        fresh = measure(measured(embeddings, run.config, split), missing)
        for name in missing:
            value = fresh.get(name, math.nan)
            known[before + name] = value if math.isfinite(value) else None
        run.write_metrics(known)
    return {name: known[before + name] for name in names}
