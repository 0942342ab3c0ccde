"""Time to a test accuracy, compared with the recipe that public repositories use.

Both train the same network under the same loss on the same images, one after the other, and are evaluated
after each epoch by the same code; only training is timed. Ours is `lossbench train` as configured, and with
the fewest epochs that reach the accuracy. The recipe is that of `_plain_pytorch`: SGD, step decay, float32, a
DataLoader. Its loss is ours: centers move in its forward pass.
"""

import dataclasses
import math
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from ..data import Splits, load_splits
from ..files import plain
from ..losses import WeightedSum
from ..randomness import seeded
from ..records import EpochRecord, NullObserver
from ..runs.config import RunConfig
from ..runs.model import build
from ..runs.result import Machine
from ..runs.store import Store
from ..tables import Table, number_text
from ..training.cuda_graph import StepGraph
from ..training.device import describe_machine, resolve_device
from ..training.evaluation import Evaluator
from ..training.process import Placement, threads_of
from ..training.trainer import Trainer
from ._plain_pytorch import DECAY, DECAY_EVERY, RECIPE, OwnPixels, PlainTraining, loader
from ._timing import synchronize, thread_count
from ._trainers import train_to_end
from .result import Benchmark, machine_text

_REFERENCE = 5000  # training images whose class means classify for a loss without classes


class Epoch(NamedTuple):
    """An epoch: its seconds without evaluation, and the test accuracy after it, a fraction."""

    seconds: float
    accuracy: float


class TrainingCurve(NamedTuple):
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
    with thread_count(threads_of(config, placement)):
        ours = [_train_ours(config, placement)]
        for shorter in range(1, config.epochs):
            tried = _train_ours(dataclasses.replace(config, epochs=shorter), placement)
            if tried.epochs[-1].accuracy >= target:
                ours.append(tried)
                break
        usual = TrainingCurve("usual", _train_usual(config, target, epochs, placement))
        machine = describe_machine(resolve_device(placement.device))
    return to_benchmark(config, ours, usual, target=target, machine=machine)


def ratio(ours: TrainingCurve, usual: TrainingCurve, target: float) -> tuple[float, bool]:
    """How many times ours the usual way took, and whether that is only a lower bound; NaN without ours."""
    if ours.reached(target) is None:
        return math.nan, False
    return usual.seconds(target) / ours.seconds(target), usual.reached(target) is None


def to_benchmark(
    config: RunConfig, ours: list[TrainingCurve], usual: TrainingCurve, *, target: float, machine: Machine
) -> Benchmark:
    """All curves as table, text and data."""
    header = ["training", "epochs", "seconds", "s per epoch", "sooner than usual"]
    header += ["test (%) after each epoch"]
    rows, curves = [], []
    for curve in (*ours, usual):
        reached, epochs, seconds = curve.reached(target), curve.epochs, curve.seconds(target)
        times, at_least = ratio(curve, usual, target)
        rows.append(
            [
                curve.name,
                str(reached) if reached else f"> {len(epochs)}",
                ("" if reached else "> ") + number_text(seconds, 1),
                number_text(sum(epoch.seconds for epoch in epochs) / len(epochs), 1),
                "1" if curve is usual else ("> " if at_least else "") + number_text(times, 1),
                " ".join(f"{100 * epoch.accuracy:.2f}" for epoch in epochs),
            ]
        )
        curves.append(
            {
                "name": curve.name,
                "reached": reached,
                "seconds": seconds,
                "times_sooner": times,
                "is_lower_bound": at_least,
                "epochs": epochs,
            }
        )
    loss = config.title + (f" ({config.subtitle})" if config.subtitle else "")
    conditions = (
        f"Training time to {100 * target:g} % test accuracy on {config.dataset}, evaluated after each epoch; "
        f"network {config.network}, D = {config.feature_dim}, {loss}, B = {config.batch_size}, "
        f"seed {config.seed}. Ours: `lossbench train`, and the fewest `--epochs` that end "
        f"there. Usual: {RECIPE}, times {DECAY} every {DECAY_EVERY} epochs. {machine_text(machine)}"
    )
    data = {"config": config.to_dict(), "target": target, "courses": curves}
    return Benchmark("quality", machine, Table(header, rows), conditions, plain(data))


def _train_ours(config: RunConfig, placement: Placement) -> TrainingCurve:
    observer = _TestAccuracy()
    with tempfile.TemporaryDirectory() as folder:
        run = Store(Path(folder)).run(config)
        observer.trainer = trainer = Trainer(run, placement, observer, lambda: False, StepGraph().step_one)
        train_to_end(trainer)
    return TrainingCurve(f"ours, --epochs {config.epochs}", observer.epochs)


class _TestAccuracy(NullObserver):
    """Evaluates our training on the test images after each epoch."""

    trainer: Trainer

    def __init__(self) -> None:
        self.epochs: list[Epoch] = []

    def finished_epoch(self, run: str, record: EpochRecord) -> None:  # noqa: ARG002
        """Evaluate."""
        t = self.trainer
        accuracy = _accuracy(t.network, t.loss, t.splits, t.config, t.precision)
        self.epochs.append(Epoch(record.seconds, accuracy))


def _train_usual(config: RunConfig, target: float, epochs: int, placement: Placement) -> list[Epoch]:
    device = resolve_device(placement.device)
    splits = load_splits(config.split_spec, placement.data_dir, device)
    network, loss = build(config)
    usual = PlainTraining(network, loss, loss, device)
    batches, curve = loader(splits.train, config.batch_size), list[Epoch]()
    with seeded(config.seed, "training"):
        while len(curve) < epochs and not (curve and curve[-1].accuracy >= target):
            began = time.perf_counter()
            for images, labels in batches:
                usual.step(images, labels)
            synchronize(device)
            seconds = time.perf_counter() - began
            usual.decay.step()
            accuracy = _accuracy(OwnPixels(network), loss, splits, config, torch.float32)
            curve.append(Epoch(seconds, accuracy))
    return curve


def _accuracy(
    network: nn.Module, loss: WeightedSum, splits: Splits, config: RunConfig, precision: torch.dtype
) -> float:
    """The fraction of test images classified right, as the result of a run would have it."""
    evaluated = splits._replace(train=splits.train.at(slice(_REFERENCE)), val=splits.val.at(slice(0)))
    test = Evaluator(network, loss, evaluated, config, precision).evaluate()["test"]
    return float((test.predictions == test.labels).mean())
