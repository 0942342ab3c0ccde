"""Commands that show stored runs: what they select, what they write on it, and where."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from lossbench.__main__ import main
from lossbench.runs.store import Store
from tests.helpers.runs import run, small


@pytest.fixture(scope="module")
def stored(tmp_path_factory: Any) -> Path:
    folder: Path = tmp_path_factory.mktemp("selection") / "results"
    for config in (small("softmax"), small("center"), small("center", seed=1), small("softmax", epochs=1)):
        run(config, folder)
    return folder


def call(capsys: Any, *arguments: Any) -> tuple[int, str, str]:
    capsys.readouterr()
    words = [str(argument) for argument in arguments]
    with mock.patch.object(sys, "argv", ["lossbench", *words]):  # the document of a figure has the command
        code = main(words)
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return code, captured.out, captured.err


def plotted(capsys: Any, stored: Path, *arguments: Any) -> tuple[str, list[str]]:
    code, out, err = call(capsys, *arguments, "--results", stored, "--json")
    assert code == 0, err
    document = json.loads(out)
    runs = document.pop("runs")
    (path,) = document.values()
    return Path(path).name, [name.rpartition("-")[0] for name in runs]


def test_a_figure_shows_runs_of_one_seed_and_equal_epochs(capsys: Any, stored: Path) -> None:
    name, runs = plotted(capsys, stored, "plot", "confusion", "--loss", "softmax,center")
    assert (name, runs) == ("confusion-softmax-center-digits.png", ["softmax", "center"])
    code, _, err = call(
        capsys, "plot", "confusion", "--loss", "softmax,center", "--seed", "1", "--results", stored
    )
    assert code == 1
    assert "There is no finished run of softmax with --seed 1; there are runs with --seed 0." in err
    assert "`lossbench train --loss softmax --seed 1`" in err


def test_the_name_of_a_file_says_what_was_asked_for(capsys: Any, stored: Path) -> None:
    name, _ = plotted(capsys, stored, "plot", "confusion", "--loss", "center", "--seed", "1")
    assert name == "confusion-center-digits-seed-1.png"
    name, _ = plotted(capsys, stored, "plot", "confusion", "--loss", "softmax", "--epochs", "1")
    assert name == "confusion-softmax-digits-epochs-1.png"


def test_another_figure_is_never_overwritten_and_the_same_one_is(capsys: Any, stored: Path) -> None:
    names = [run.name for run in Store(stored).all()[0] if run.config.loss == "softmax"]
    first, _ = plotted(capsys, stored, "plot", "hardest", "--run", names[0])
    second, _ = plotted(capsys, stored, "plot", "hardest", "--run", names[1])
    assert first == "hardest-softmax-digits.png"
    assert second.startswith("hardest-softmax-digits-")
    assert plotted(capsys, stored, "plot", "hardest", "--run", names[0])[0] == first
    assert plotted(capsys, stored, "plot", "hardest", "--run", names[1])[0] == second


def test_runs_named_one_by_one_say_in_what_they_differ(capsys: Any, stored: Path, monkeypatch: Any) -> None:
    shown = []
    monkeypatch.setattr(
        "lossbench.reports.figure_files.write_figure",
        lambda compose, path, runs, style: shown.extend(runs) or path,
    )
    names = [n for run in Store(stored).all()[0] for n in ("--run", run.name) if run.config.loss != "center"]
    other = next(run.name for run in Store(stored).all()[0] if run.config.seed == 1)
    assert call(capsys, "plot", "confusion", *names, "--run", other, "--results", stored)[0] == 0
    captions = {(run.title, run.config.epochs): run.caption for run in shown}
    assert "epochs 1 · seed 0" in captions["Softmax", 1]
    assert "epochs 3 · seed 0" in captions["Softmax", 3]
    assert "epochs 3 · seed 1" in captions["Center", 3]


@pytest.mark.parametrize(
    "command", [["plot", "leaderboard"], ["plot", "roc"], ["plot", "curves"], ["explore"]]
)
def test_a_loss_asked_for_is_never_left_out(capsys: Any, stored: Path, command: list[str]) -> None:
    code, _, err = call(capsys, *command, "--loss", "softmax,cosface", "--results", stored)
    assert code == 1
    assert "no finished run of cosface" in err
    assert "`lossbench train --loss cosface`" in err
    code, _, err = call(capsys, *command, "--loss", "softmax,cosfcae", "--results", stored)
    assert code == 2
    assert "did you mean cosface" in err


def test_named_runs_and_a_filter_exclude_each_other(capsys: Any, stored: Path) -> None:
    code, _, err = call(capsys, "plot", "--run", "softmax", "--loss", "center", "--results", stored)
    assert code == 2
    assert "--run" in err


def test_target_logits_are_not_drawn_without_a_loss_that_has_none(capsys: Any, stored: Path) -> None:
    code, _, err = call(capsys, "plot", "target-logits", "--loss", "softmax,arcface", "--results", stored)
    assert code == 2
    assert "Softmax has no target logit" in err


def test_runs_are_listed_by_any_option(capsys: Any, stored: Path) -> None:
    def listed(*options: str) -> int:
        return len(json.loads(call(capsys, "runs", *options, "--results", stored, "--json")[1]))

    assert listed() == 4
    assert listed("--epochs", "1") == 1
    assert listed("--loss", "center", "--seed", "0-1") == 2
    assert listed("--dataset", "mnist") == 0
    assert call(capsys, "runs", "--dataset", "mnits", "--results", stored)[0] == 2
