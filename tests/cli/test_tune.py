"""`tune --jobs`: trials at the same time, in worker processes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from lossbench.__main__ import main
from lossbench.cli._loss_search import parse_budget, show_search
from lossbench.cli._options import Request
from lossbench.cli._trials import in_threads
from lossbench.engines import LOCAL, open_trainer
from lossbench.errors import UsageError
from lossbench.experiments.loss_search import LossOutcome, SearchResult
from lossbench.experiments.search_space import StudyConfig
from lossbench.records import NullObserver
from lossbench.runs.config_builder import make_config
from lossbench.runs.store import Store
from lossbench.runs.stored_config import config_from_dict
from lossbench.statistics import Interval
from lossbench.training.process import Placement

Capture = pytest.CaptureFixture[str]

QUICK = ["--dataset", "digits", "--epochs", "1", "--batch-size", "256", "--device", "cpu", "--seeds", "1000"]


def test_trials_run_at_the_same_time_and_count_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["tune", "--loss", "softmax", "--trials", "2", "--jobs", "2", *QUICK, "--results", str(tmp_path)]
    assert main([*words, "--json"]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["trials"] == 2
    assert (document["status"], document["loss_name"], document["seed"]) == ("done", "softmax", 1000)
    assert document["settings"] == {"softmax.bias": False, "softmax.fixed": False}
    assert document["config"]["epochs"] == 1
    assert len(re.findall(r"trial \d of 2", err)) == 2
    figure = Path(document["figure"])
    assert figure.exists() and json.loads(Path(f"{figure}.json").read_text())["kind"] == "tune"
    assert main([*words, "--json"]) == 0  # all trials are stored
    out, err = capsys.readouterr()
    assert json.loads(out)["value"] == document["value"]
    assert "trial" not in err


def test_the_folder_of_results_stays_the_same_while_a_worker_starts_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    request = Request("cpu", None, None, LOCAL, {})
    config = StudyConfig("softmax", {"dataset": "digits"}, (0,), "val_accuracy")
    roots = in_threads(request, config, Store(Path("here")), 2, 2, lambda store, _: [store.root])
    assert roots == [tmp_path / "here"]


def test_trials_start_from_a_run_of_the_same_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [*QUICK[:-2], "--results", str(tmp_path), "--json"]
    assert main(["train", "--loss", "softmax", *given]) == 0
    name = json.loads(capsys.readouterr().out)["run"]
    assert main(["tune", "--loss", "softmax", "--init", name, "--trials", "1", "--seeds", "5", *given]) == 0
    config = config_from_dict(json.loads(capsys.readouterr().out)["config"])
    assert config.init.startswith(name)
    begun = Store(tmp_path).run(
        config
    )  # a run like that of a trial, interrupted: the trial still starts over
    begun.begin()
    begun.write_bytes("resume.pt", b"")
    assert begun.pack_initial()


def test_a_worker_trains_what_this_process_would(tmp_path: Path) -> None:
    config = make_config(dataset="digits", epochs=1, batch_size=256, precision="fp32")
    placement = Placement("cpu", threads=1)
    values = []
    for workers in (None, 2):
        with open_trainer(config, placement=placement, workers=workers) as (train, at_once):
            assert at_once == (workers or 1)
            result = train(
                config,
                Store(tmp_path / str(workers)),
                placement=placement,
                observer=NullObserver(),
                stop=lambda: False,
            )
            values.append(result.val_accuracy)
    assert values[0] == values[1]


def test_a_search_is_shown_as_a_table_with_the_command_that_goes_on(capsys: Capture, tmp_path: Path) -> None:
    outcomes = [
        LossOutcome("arcface", "best", 0.99, Interval(0.0, 0.0, 3), {}, 7, 3),
        LossOutcome("center", "worse than the best", 0.98, Interval(-0.01, 0.004, 3), {}, 5, 2),
        LossOutcome("git", "diverged", None, None, {}, 1, 0),
    ]
    config = make_config(loss="arcface", dataset="digits")
    result = SearchResult(config, "0123456789", "val_accuracy", (0, 2, 3), 13, outcomes)
    request = Request(
        "auto", tmp_path, None, LOCAL, {"epochs": (4,), "lambda": (0.5,), "arcface.scale": (9.0,)}
    )
    show_search(request, result, "10m", tmp_path / "a folder", json=False)
    shown = capsys.readouterr()
    cells = [
        [cell.strip() for cell in line.split("│")[1:-1]] for line in shown.out.splitlines() if "│" in line
    ]
    assert cells == [
        ["arcface", "99.00", "–", "best", "7", "3"],
        ["center", "98.00", "−1.00 ± 0.40", "worse than the best", "5", "2"],
        ["git", "–", "–", "diverged", "1", "0"],
    ]
    assert shown.out.startswith("val accuracy on Digits, stride3\n")
    assert shown.err == (
        "Means over seeds 0, 2, 3 of the validation images that chose the settings.\n"
        "The same command continues the search. To compare them on other seeds and on test images:\n"
        "lossbench compare --losses arcface --tuned --epochs 4 --lambda 0.5 --set arcface.scale=9.0 "
        f"--seeds 1,4,5,6,7,8,9,10,11,12 --results '{tmp_path / 'a folder'}' --data-dir {tmp_path}\n"
    )


@pytest.mark.parametrize(
    ("budget", "seconds"), [("90s", 90), ("1.5m", 90), ("2h", 7200), (" 10 m ", 600), (7, 7), (0.5, 0.5)]
)
def test_budgets(budget: Any, seconds: float) -> None:
    assert parse_budget(budget) == seconds


@pytest.mark.parametrize("budget", ["10", "0s", "-1m", "1d", 0, float("inf"), None])
def test_budgets_that_are_no_time(budget: Any) -> None:
    with pytest.raises(UsageError, match=rf"^--budget {budget}: a time such as 90s, 10m or 2h\.$"):
        parse_budget(budget)
