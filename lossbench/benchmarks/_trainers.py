"""Trainers whose steps are timed and compared, in one graph and alone."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..errors import Diverged
from ..records import NullObserver
from ..runs.config import RunConfig
from ..runs.result import RunResult, Status
from ..runs.run_folder import RunFolder
from ..runs.store import Store
from ..training.cuda_graph import StepGraph
from ..training.process import Placement
from ..training.trainer import Trainer
from ._timing import Task

STEPS = 4
"""Steps of a turn: a device may run ahead inside it, as it does in training."""


def make_trainer(config: RunConfig, placement: Placement) -> Trainer:
    """A trainer of a run that is not stored, ready for a step on the first images, at the peak rate."""
    trainer = Trainer(RunFolder(Path(), config), placement, NullObserver(), lambda: False)
    trainer.optimizer.set_rate(config.lr)
    trainer.batch_indices.copy_(torch.arange(config.batch_size))
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


def weight_differences(configs: Sequence[RunConfig], placement: Placement, steps: int) -> list[float]:
    """How far the weights of each run, trained with the others for so many steps, are from those of it alone,
    as a part of their norm."""
    together, graph = [make_trainer(config, placement) for config in configs], StepGraph()
    for _ in range(steps):
        graph.step(together)
    differences = []
    for trainer in together:
        alone, graph = make_trainer(trainer.config, placement), StepGraph()
        for _ in range(steps):
            graph.step([alone])
        weights, expected = (_weights(each) for each in (trainer, alone))
        differences.append(float((weights - expected).norm() / expected.norm()))
    return differences


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
