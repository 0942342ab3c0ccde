"""Features at moments of training, for pictures that move: the same test images each time."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..data import SPLIT_SEED, Splits
from ..losses import WeightedSum, class_means, class_scores
from ..records import LabelledImages, Snapshots
from ..runs.config import RunConfig
from .evaluation import embed

IMAGES, MOMENTS = 2000, 20
"""Images of a snapshot, with which a picture is full, and moments that then take under 3 % of a training;
with more moments there are fewer images, so that they never take more."""
_REFERENCE = 1000  # training images whose class means give the scores of a loss without classes


def moments(steps: int, count: int) -> tuple[int, ...]:
    """Steps after which a snapshot is taken: 0, then about log-spaced, dense early, up to the last."""
    if count < 2:
        return (steps,) if count else ()
    spaced = np.geomspace(steps, 1, min(count, steps + 1) - 1)[::-1].round().astype(int)  # of one, the last
    for place in range(1, len(spaced)):  # rounding makes early ones equal
        spaced[place] = max(spaced[place], spaced[place - 1] + 1)
    return (0, *(int(step) for step in np.minimum(spaced, steps)))


class Album:
    """The snapshots of one training; empty for a count of 0."""

    def __init__(self, config: RunConfig, splits: Splits, steps: int, count: int) -> None:
        self.steps_per_epoch = steps
        self.moments = frozenset(moments(steps * config.epochs, count))
        part = splits.val if config.eval_split == "val" else splits.test
        images = IMAGES * MOMENTS // max(count, MOMENTS)
        chosen = np.random.RandomState(SPLIT_SEED).permutation(len(part.labels))[:images]
        self.index = torch.from_numpy(np.sort(chosen))
        self.part = LabelledImages(part.images[self.index], part.labels[self.index])
        self.pages: dict[int, dict[str, Tensor]] = {}

    def look(
        self,
        step: int,
        network: nn.Module,
        loss: WeightedSum,
        splits: Splits,
        config: RunConfig,
        precision: torch.dtype,
    ) -> None:
        """Take a snapshot if this step is a moment for it; no random number is drawn."""
        if step not in self.moments or step in self.pages:
            return
        means = None
        if loss.classifier() is None:
            reference = LabelledImages(*(array[:_REFERENCE] for array in splits.train))
            known = embed(network, reference.images, precision)
            means = class_means(known, reference.labels, config.classes)
        features = embed(network, self.part.images, precision)
        page = {"features": features, "scores": class_scores(loss, features, means, config.rule)}
        page |= {name: d for name in ("weight", "centers") if (d := loss.directions(name)) is not None}
        self.pages[step] = {name: value.float().cpu().clone() for name, value in page.items()}

    def finished(self) -> Snapshots | None:
        """All moments; None where nobody asked for any, or where a run began without."""
        if not self.moments or self.moments - self.pages.keys():
            return None
        pages = [self.pages[step] for step in sorted(self.pages)]
        arrays: dict[str, Any] = {name: torch.stack([p[name] for p in pages]).numpy() for name in pages[0]}
        return Snapshots(
            epochs=np.array(sorted(self.pages)) / self.steps_per_epoch,
            places=self.index.numpy(),
            labels=self.part.labels.cpu().numpy(),
            features=arrays.pop("features"),
            scores=arrays.pop("scores"),
            directions=arrays,
        )
