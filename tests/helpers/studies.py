"""Searches on the embedded digits, shared by the tests of tuning."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from lossbench.errors import Diverged, Interrupted
from lossbench.experiments import search_space as searching
from lossbench.experiments import study as tuning
from lossbench.experiments.search_space import Search
from lossbench.records import EpochRecord
from lossbench.runs.result import RunResult, Status
from lossbench.runs.store import Store

from .runs import ONE_THREAD, Recorder

FIXED = {"dataset": "digits", "epochs": 1, "batch_size": 100, "precision": "fp32"}


def made(
    loss: str = "softmax", seeds: tuple[int, ...] = (0,), metric: str = "val_accuracy", **fixed: Any
) -> Search:
    return Search(loss, {**FIXED, **fixed}, seeds, metric)


def search_in(
    folder: Path, search: Search, trials: int, observer: Recorder | None = None, said: list[str] | None = None
) -> dict[str, Any]:
    """Tune in `folder` on one thread; what is reported goes to `said`."""
    watching = observer or Recorder()
    return tuning.tune(
        search,
        Store(folder),
        trials=trials,
        placement=ONE_THREAD,
        observer=watching,
        stop=watching.stop,
        report=(said if said is not None else []).append,
    )


def home_of(folder: Path, search: Search) -> Path:
    return tuning.folder_of(Store(folder), search.base) / search.name


def study_of(folder: Path, search: Search) -> Any:
    return searching.open_study(search, home_of(folder, search))


def check_ended(folder: Path, trials: int, found: dict[str, Any]) -> None:
    """Exactly the budget, nothing running, nothing left but the journal, locks and the JSON."""
    (journal,) = folder.glob("tuned/*/*/*/*/journal.log")
    files = [path for path in (folder / "tuned").rglob("*") if path.is_file()]
    stored = [path for path in files if path.suffix != ".lock" and path.name != ".lock" and path != journal]
    assert stored == [journal.parent.parent.with_suffix(".json")]
    assert json.loads(stored[0].read_text()) == found
    assert not [path for path in journal.parent.iterdir() if path.is_dir()]
    assert not (folder / "runs").exists()
    entries = [json.loads(line) for line in journal.read_text().splitlines()]
    states = {entry["trial_id"]: entry["state"] for entry in entries if entry["op_code"] == 6}
    assert sorted(states.values()).count(0) == 0, "a trial still runs"
    assert found["trials"] == trials == len(found["values"]) == len(found["curve"])
    reached = [value for value in found["curve"] if value is not None]
    assert reached == sorted(reached, reverse=found["metric"] == "spread-gap")
    assert found["curve"][-1] == found["value"]


def pretend(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Training takes no time from now on: accuracy is best at a learning rate of 0.01, beyond 1 it diverges.

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

    monkeypatch.setattr(tuning, "train", train)
    return trained
