"""Trainers whose steps are timed and compared, in one graph and alone."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import Diverged
from ..records import NullObserver
from ..runs.config import RunConfig
from ..runs.config_builder import make_config
from ..runs.result import RunResult, Status
from ..runs.run_folder import RunFolder
from ..runs.store import Store
from ..training.cuda_graph import StepGraph
from ..training.process import Placement
from ..training.trainer import Trainer
from ._timing import Task
from .train import STEPS


def make_trainer(placement: Placement, **options: Any) -> Trainer:
    """A trainer of the first batches, ready for a step."""
    trainer = Trainer(RunFolder(Path(), make_config(**options)), placement, NullObserver(), lambda: False)
    trainer.network.train()
    trainer.loss.train()
    trainer.optimizer.set_rate(trainer.config.lr)
    trainer.batch_indices.copy_(torch.arange(trainer.config.batch_size))
    return trainer


def single_steps(trainer: Trainer) -> Task:
    """A turn of steps that are not recorded."""

    def run() -> None:
        for _ in range(STEPS):
            trainer.step()

    return run


def recorded_steps(trainers: Sequence[Trainer]) -> Task:
    """A turn of steps of some trainers in one graph."""
    graph = StepGraph()

    def run() -> None:
        for _ in range(STEPS):
            for error in graph.step(trainers).values():
                raise error

    return run


def weight_differences(keys: Sequence[Mapping[str, Any]], placement: Placement, steps: int) -> list[float]:
    """How far the weights of each run, trained with the others for so many steps, are from those of it alone,
    as a part of their norm."""
    together, graph = [make_trainer(placement, **key) for key in keys], StepGraph()
    for _ in range(steps):
        graph.step(together)
    found = []
    for trainer, key in zip(together, keys, strict=True):
        alone, own = make_trainer(placement, **key), StepGraph()
        for _ in range(steps):
            own.step([alone])
        mine, other = (_weights(t) for t in (trainer, alone))
        found.append(float((mine - other).norm() / other.norm()))
    return found


def _weights(trainer: Trainer) -> Tensor:
    return torch.cat([p.detach().flatten() for p in trainer.network.parameters()])


def train_to_end(trainer: Trainer) -> RunResult:
    """The result of a run that is trained to its end. Raises Diverged."""
    trainer.run.begin()
    result = trainer.train()
    if result.status is not Status.DONE:
        raise Diverged(f"{trainer.run.name} diverged, so there is no time to compare.")
    return result


def train_once(config: RunConfig, placement: Placement) -> tuple[float, float, float]:
    """Test accuracy (a fraction), seconds of all steps, and seconds from the config to the stored result."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        run = Store(Path(folder)).run(config)
        trainer = Trainer(run, placement, NullObserver(), lambda: False, StepGraph().step_one)
        result = train_to_end(trainer)
        whole = time.perf_counter() - began
    return result.test_accuracy or 0.0, sum(record.seconds for record in trainer.records), whole
