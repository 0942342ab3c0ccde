"""Metrics of a run, from its features."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import RunError
from ..metrics import MetricInput, OnImages, measure
from ..records import Embedding
from ..specs import catalog
from ..specs.quantities import UNSEEN
from .config import RunConfig
from .run_folder import RunFolder

if TYPE_CHECKING:
    import numpy as np


def measure_split(
    embeddings: Mapping[str, Embedding],
    config: RunConfig,
    split: str,
    names: Sequence[str] | None = None,
    weight: np.ndarray | None = None,
    on_images: OnImages | None = None,
) -> dict[str, float]:
    """The named metrics (None: all cheap ones) of one split, with the training split as reference.

    Unseen classes have no reference and no scores: training does not know them. weight: class weights
    (C, D), where the loss has one of each class. on_images: see MetricInput.
    """
    tested, reference, classes = embeddings[split], embeddings["train"], config.classes
    validation, unknown = embeddings.get("val"), embeddings.get("unseen")
    if split == "unseen":
        tested, classes = tested._replace(scores=None), len(config.unseen)
        reference = reference.emptied()
        unknown = weight = None
    return measure(
        MetricInput(
            evaluated=tested,
            reference=reference,
            classes=classes,
            cosine=config.cosine,
            probabilities=config.probabilities,
            validation=validation,
            unknown=unknown,
            weight=weight,
            on_images=on_images,
        ),
        names,
    )


def measure_stored(
    run: RunFolder, names: Sequence[str], *, unseen: bool = False, data_dir: Path | None = None
) -> dict[str, float | None]:
    """The named metrics of a finished run, from its stored features; measured once, then stored as well.

    None where a metric is not defined for the run. data_dir: of the images, for metrics that need them.
    Raises RunError for features that cannot be read, DataError for such images.
    """
    split, prefix = ("unseen", UNSEEN) if unseen else (run.config.eval_split, "")
    stored = run.metrics()
    if missing := [name for name in names if prefix + name not in stored]:
        embeddings, directions = run.features()
        weight = directions.get("weight")
        if weight is not None and weight.shape != (run.config.classes, run.config.feature_dim):
            weight = None  # several directions of each class, or something else of a user's loss
        if split not in embeddings:
            raise RunError(f"{run.path / 'features.npz'} has no {split} features.")
        on_images = None
        has_images = not unseen and len(run.config.input_shape) == 3
        if has_images and any(catalog.spec("metrics", name).needs == "images" for name in missing):
            from .robustness import RunOnImages  # imports torch

            on_images = RunOnImages(run, embeddings["train"], data_dir)
        values = measure_split(embeddings, run.config, split, missing, weight, on_images)
        for name in missing:
            value = values.get(name, math.nan)
            stored[prefix + name] = value if math.isfinite(value) else None
        with contextlib.suppress(RunError):  # a read-only folder: they are measured again next time
            run.write_metrics(stored)
    return {name: stored[prefix + name] for name in names}
