"""Small real runs on the embedded digits, shared by the tests of training, engines and commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lossbench.records import EpochRecord
from lossbench.runs.config import RunConfig
from lossbench.runs.config_builder import make_config
from lossbench.runs.result import RunResult
from lossbench.runs.store import Store
from lossbench.training.process import Placement
from lossbench.training.train import train

ONE_THREAD = Placement("cpu", None, 1)


class Recorder:
    """An observer that remembers, and asks to stop after a number of steps."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.records: list[EpochRecord] = []
        self.steps = 0
        self.stop_after = stop_after

    def started(self, run: str, epochs: int, steps: int, done: int) -> None:
        self.began_at = done

    def stepped(self, run: str, steps: int) -> None:
        self.steps += 1

    def finished_epoch(self, run: str, record: EpochRecord) -> None:
        self.records.append(record)

    def stop(self) -> bool:
        return self.stop_after is not None and self.steps >= self.stop_after


def small(loss: str = "center", **options: Any) -> RunConfig:
    """A config that trains in about a second."""
    return make_config(
        loss=loss, **{"dataset": "digits", "epochs": 3, "batch_size": 100, "precision": "fp32", **options}
    )


def run(config: RunConfig, folder: Path, observer: Recorder | None = None, **options: Any) -> RunResult:
    """Train into `folder` on one thread."""
    watching = observer or Recorder()
    return train(
        config, Store(folder), placement=ONE_THREAD, observer=watching, stop=watching.stop, **options
    )
