"""Searches on the embedded digits, shared by the tests of tuning."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from lossbench.engines import in_process  # noqa: F401  keeps the real `train` when a test replaces it
from lossbench.errors import Diverged, Interrupted
from lossbench.experiments.search_space import StudyConfig
from lossbench.experiments.study import Study
from lossbench.experiments.trials import TrialWorker, tune
from lossbench.experiments.tuning_result import study_folder
from lossbench.records import EpochRecord
from lossbench.runs.result import RunResult, Status
from lossbench.runs.store import Store
from lossbench.training import train as training

from .runs import ONE_THREAD, Recorder

FIXED = {"dataset": "digits", "epochs": 1, "batch_size": 100, "precision": "fp32"}


def study_config(
    loss: str = "softmax", seeds: tuple[int, ...] = (0,), metric: str = "val_accuracy", **fixed: Any
) -> StudyConfig:
    return StudyConfig(loss, {**FIXED, **fixed}, seeds, metric)


def tune_in(
    folder: Path,
    config: StudyConfig,
    trials: int,
    observer: Recorder | None = None,
    lines: list[str] | None = None,
) -> dict[str, Any]:
    """Tune in `folder` on one thread; what is reported is appended to `lines`."""
    observer = observer or Recorder()
    report = (lines if lines is not None else []).append
    worker = TrialWorker(ONE_THREAD, observer, observer.stop, report, training.train)
    return tune(config, Store(folder), worker, trials=trials).to_dict()


def folder_of(folder: Path, config: StudyConfig) -> Path:
    return study_folder(Store(folder), config.default_run, config.loss) / config.name


def open_study(folder: Path, config: StudyConfig) -> Study:
    return Study(config, Store(folder), folder_of(folder, config))


def check_ended(folder: Path, trials: int, result: dict[str, Any]) -> None:
    """Exactly the budget, nothing running, nothing left but the journal, locks and the JSON."""
    (journal,) = folder.glob("tuned/*/*/*/*/journal.log")
    files = [path for path in (folder / "tuned").rglob("*") if path.is_file()]
    stored = [path for path in files if path.suffix != ".lock" and path.name != ".lock" and path != journal]
    assert stored == [journal.parent.parent.with_suffix(".json")]
    assert json.loads(stored[0].read_text()) == result
    assert not [path for path in journal.parent.iterdir() if path.is_dir()]
    assert not (folder / "runs").exists()
    entries = [json.loads(line) for line in journal.read_text().splitlines()]
    states = {entry["trial_id"]: entry["state"] for entry in entries if entry["op_code"] == 6}
    assert sorted(states.values()).count(0) == 0, "a trial still runs"
    assert result["trials"] == trials == len(result["values"]) == len(result["curve"])
    reached = [value for value in result["curve"] if value is not None]
    assert reached == sorted(reached, reverse=result["metric"] == "spread-gap")
    assert result["curve"][-1] == result["value"]


def replace_training(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Replace training by a formula: accuracy is best at a learning rate of 0.01, beyond 1 it diverges.

    Returns the list of the configs that will be trained.
    """
    trained = []

    def train(config, store, *, placement, observer, stop):
        trained.append(config)
        (store.runs / config.run_name).mkdir(parents=True, exist_ok=True)
        if config.lr > 1:
            raise Diverged("its loss became NaN")
        observer.started(config.run_name, config.epochs, 1, 0)
        value = 1 - abs(math.log10(config.lr) + 2) / 10 - config.seed / 100
        observer.finished_epoch(config.run_name, EpochRecord(1, config.lr, 1.0, {}, value, 1.0, 1.0))
        if stop():
            raise Interrupted("the run was interrupted")
        return RunResult(run=config.run_name, status=Status.DONE, val_accuracy=value)

    monkeypatch.setattr(training, "train", train)
    return trained
