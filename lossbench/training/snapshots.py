"""Features of the same test images at several steps of a training, for animations."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..data import SPLIT_SEED
from ..records import Snapshots
from .evaluation import Evaluator

MAX_IMAGES, MAX_IMAGES_UP_TO = 2000, 20
"""A snapshot has 2000 images: up to 20 snapshots then take under 3 % of a training. More snapshots have fewer
images each, so that they never take more time."""
_REFERENCE = 1000  # training images for the class means that classify under a loss without class scores


def snapshot_steps(steps: int, count: int) -> tuple[int, ...]:
    """Steps after which a snapshot is taken: 0, then about log-spaced (denser early), up to the last."""
    if count < 2:
        return (steps,) if count else ()
    spaced = np.geomspace(steps, 1, min(count, steps + 1) - 1)[::-1].round().astype(int)  # of one, the last
    for place in range(1, len(spaced)):  # rounding makes early ones equal
        spaced[place] = max(spaced[place], spaced[place - 1] + 1)
    return (0, *(int(step) for step in np.minimum(spaced, steps)))


class SnapshotRecorder:
    """Takes `count` snapshots in the course of a training; none for a count of 0."""

    def __init__(self, evaluator: Evaluator, steps_per_epoch: int, count: int) -> None:
        self.evaluator, self.steps_per_epoch = evaluator, steps_per_epoch
        config, splits = evaluator.config, evaluator.splits
        self.steps = frozenset(snapshot_steps(steps_per_epoch * config.epochs, count))
        split = splits.val if config.eval_split == "val" else splits.test
        size = MAX_IMAGES * MAX_IMAGES_UP_TO // max(count, MAX_IMAGES_UP_TO)
        order = np.random.RandomState(SPLIT_SEED).permutation(len(split.labels))
        self.index = torch.from_numpy(np.sort(order[:size]))
        self.shown = split.at(self.index)
        self.arrays: dict[int, dict[str, Tensor]] = {}
        """What was recorded, by step; belongs to a resume state."""

    def record(self, step: int) -> None:
        """Take a snapshot if one is due after this step; no random number is drawn."""
        if step not in self.steps or step in self.arrays:
            return
        evaluator = self.evaluator
        means = evaluator.class_means(_REFERENCE)
        features = evaluator.embed(self.shown.images)
        arrays = {"features": features, "scores": evaluator.scores(features, means)}
        for name in ("weight", "centers"):
            if (directions := evaluator.loss.directions(name)) is not None:
                arrays[name] = directions
        self.arrays[step] = {name: value.float().cpu().clone() for name, value in arrays.items()}

    def result(self) -> Snapshots | None:
        """All snapshots; None if none were asked for, or the run began without them."""
        if not self.steps or self.steps - self.arrays.keys():
            return None
        steps = sorted(self.arrays)
        arrays = {
            name: torch.stack([self.arrays[step][name] for step in steps]).numpy()
            for name in self.arrays[steps[0]]
        }
        return Snapshots(
            epochs=np.array(steps) / self.steps_per_epoch,
            places=self.index.numpy(),
            labels=self.shown.labels.cpu().numpy(),
            features=arrays.pop("features"),
            scores=arrays.pop("scores"),
            directions=arrays,
        )
