"""How soon a test accuracy is reached: our training beside the recipe that public repositories use.

Both train the same network under the same loss on the same images, one after the other, and are judged after
each epoch by the same code; only training is timed. Ours is the run that `lossbench train` makes, with its
schedule: as configured, and the shortest (`--epochs 1`, `2` ...) that ends at the accuracy. The recipe is
that of `_usual`: SGD, step decay, float32, a DataLoader. Its loss is built as ours: centres move in its
forward pass.
"""

from __future__ import annotations

import dataclasses
import math
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from ..data import Splits, load_splits
from ..errors import Diverged
from ..losses import WeightedSum
from ..protocols import Silent
from ..randomness import seeded
from ..records import EpochRecord, LabelledImages
from ..runs.config import RunConfig
from ..runs.model import build
from ..runs.result import Machine, Status
from ..runs.store import Store
from ..tables import Table, number_text
from ..training.cuda_graph import StepGraph
from ..training.device import describe_machine, resolve_device
from ..training.evaluation import Evaluator
from ..training.process import Placement
from ..training.trainer import Trainer
from ._timing import threads_set, wait_for
from ._usual import DECAY, DECAY_EVERY, RECIPE, AsTrained, Usual, loader
from .result import Benchmark, on_machine

_REFERENCE = 5000  # training images whose class means judge a loss without classes


class Epoch(NamedTuple):
    """One epoch of a training: its seconds without judging, and the test accuracy after it, a fraction."""

    seconds: float
    accuracy: float


class Course(NamedTuple):
    """The epochs of one training, until the target or its end."""

    name: str
    epochs: list[Epoch]

    def reached(self, target: float) -> int | None:
        """How many epochs it took to a test accuracy; None when it was never seen."""
        return next((n for n, epoch in enumerate(self.epochs, 1) if epoch.accuracy >= target), None)

    def seconds(self, target: float) -> float:
        """Seconds of training until there, or of all epochs when it never got there."""
        return sum(epoch.seconds for epoch in self.epochs[: self.reached(target)])


def measure(config: RunConfig, *, target: float, epochs: int, placement: Placement) -> Benchmark:
    """Train as `config` says, and by the usual recipe for at most so many epochs, to a fraction of the test.

    Raises DataError when the data set is not there, Diverged.
    """
    with threads_set(placement.threads):
        ours = [_ours(config, placement)]
        for shorter in range(1, config.epochs):
            tried = _ours(dataclasses.replace(config, epochs=shorter), placement)
            if tried.epochs[-1].accuracy >= target:
                ours.append(tried)
                break
        usual = Course("usual", _usual(config, target, epochs, placement))
        machine = describe_machine(resolve_device(placement.device))
    return told(config, ours, usual, target=target, machine=machine)


def ratio(ours: Course, usual: Course, target: float) -> tuple[float, bool]:
    """How many times ours the usual way took, and whether that is only a lower bound; NaN without ours."""
    if ours.reached(target) is None:
        return math.nan, False
    return usual.seconds(target) / ours.seconds(target), usual.reached(target) is None


def told(
    config: RunConfig, ours: list[Course], usual: Course, *, target: float, machine: Machine
) -> Benchmark:
    """All courses, in a table and in words."""
    header = [
        "training",
        "epochs",
        "seconds",
        "s per epoch",
        "sooner than usual",
        "test (%) after each epoch",
    ]
    rows, courses = [], list[dict[str, Any]]()
    for course in (*ours, usual):
        reached, seen = course.reached(target), course.epochs
        times, at_least = ratio(course, usual, target)
        rows.append(
            [
                course.name,
                str(reached) if reached else f"> {len(seen)}",
                ("" if reached else "> ") + number_text(course.seconds(target), 1),
                number_text(sum(epoch.seconds for epoch in seen) / len(seen), 1),
                "1" if course is usual else ("> " if at_least else "") + number_text(times, 1),
                " ".join(f"{100 * epoch.accuracy:.2f}" for epoch in seen),
            ]
        )
        courses.append(
            {
                "name": course.name,
                "reached": reached,
                "seconds": course.seconds(target),
                "times_sooner": times,
                "is_lower_bound": at_least,
                "epochs": [epoch._asdict() for epoch in seen],
            }
        )
    conditions = (
        f"Training time to {100 * target:g} % test accuracy on {config.dataset}, judged after each epoch; "
        f"network {config.network}, D = {config.feature_dim}, {_words(config)}, B = {config.batch_size}, "
        f"seed {config.seed}. Ours: `lossbench train`, and the fewest `--epochs` that end "
        f"there. Usual: {RECIPE}, times {DECAY} every {DECAY_EVERY} epochs. {on_machine(machine)}"
    )
    data = {"config": config.to_dict(), "target": target, "courses": courses}
    return Benchmark("quality", machine, Table(header, rows), conditions, data)


def _words(config: RunConfig) -> str:
    return " ".join(filter(None, [config.title, f"({config.subtitle})" if config.subtitle else ""]))


def _ours(config: RunConfig, placement: Placement) -> Course:
    judge = _Judge()
    with tempfile.TemporaryDirectory() as folder:
        run = Store(Path(folder)).run(config)
        judge.trainer = trainer = Trainer(run, placement, judge, lambda: False, StepGraph().step_one)
        run.begin()
        if trainer.train().status is not Status.DONE:
            raise Diverged(f"{run.name} diverged, so there is no time to compare.")
    return Course(f"ours, --epochs {config.epochs}", judge.epochs)


class _Judge(Silent):
    """Watches our training, and judges it after each epoch."""

    trainer: Trainer

    def __init__(self) -> None:
        self.epochs: list[Epoch] = []

    def finished_epoch(self, run: str, record: EpochRecord) -> None:  # noqa: ARG002
        """Judge on the test images."""
        own = self.trainer
        accuracy = _accuracy(own.network, own.loss, own.splits, own.config, own.precision)
        self.epochs.append(Epoch(record.seconds, accuracy))


def _usual(config: RunConfig, target: float, epochs: int, placement: Placement) -> list[Epoch]:
    device = resolve_device(placement.device)
    splits = load_splits(config.split_spec, placement.data_dir, device)
    network, loss = build(config)
    usual = Usual(network, loss, loss, device)
    batches, found = loader(splits.train, config.batch_size), list[Epoch]()
    with seeded(config.seed, "training"):
        while len(found) < epochs and not (found and found[-1].accuracy >= target):
            network.train()
            loss.train()
            began = time.perf_counter()
            for images, labels in batches:
                usual.step(images, labels)
            wait_for(device)
            seconds = time.perf_counter() - began
            usual.decay.step()
            accuracy = _accuracy(AsTrained(network), loss, splits, config, torch.float32)
            found.append(Epoch(seconds, accuracy))
    return found


def _accuracy(
    network: nn.Module, loss: WeightedSum, splits: Splits, config: RunConfig, precision: torch.dtype
) -> float:
    """The fraction of test images classified right, as the result of a run would have it."""
    reference = LabelledImages(*(part[:_REFERENCE] for part in splits.train))
    none = LabelledImages(*(part[:0] for part in splits.val))
    judged = splits._replace(train=reference, val=none)
    seen = Evaluator(network, loss, judged, config, precision).evaluate()["test"]
    return float((seen.predictions == seen.labels).mean())
