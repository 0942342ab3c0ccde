"""Commands that show stored runs: what they select, what they write on it, and where."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

import lossbench
from lossbench.__main__ import main
from lossbench.cli.animate import write_animation
from lossbench.errors import UsageError
from lossbench.runs.config_builder import config_at, make_config
from lossbench.runs.filter import RunFilter
from lossbench.runs.store import Store
from lossbench.runs.stored_run import UntrainedRun
from lossbench.runs.suggested_commands import command_for, command_of
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
    assert document.pop("status") == "done"
    document.pop("data", None)
    (path,) = document.values()
    return Path(path).name, [name.rpartition("-")[0] for name in runs]


def test_runs_that_diverged_are_named_where_no_other_was_found(capsys: Any, tmp_path: Path) -> None:
    """Training them again, as the sentence says otherwise, would show the same."""
    results = tmp_path / "results"
    quick = ["--dataset", "digits", "--epochs", "1", "--lr", "1e9", "--results", str(results)]
    assert call(capsys, "train", "--loss", "ghm", *quick)[0] == 3
    name = Store(results).all()[0][0].name
    said = f"Runs that diverged: {name}.\n"
    assert call(capsys, "plot", "--results", results)[2].endswith(said)
    run(small("softmax"), results)
    assert call(capsys, "plot", "--loss", "ghm", "--results", results)[2].endswith(said)
    for words in (["--loss", "center"], ["--loss", "ghm", "--epochs", "3"]):
        code, _, err = call(capsys, "plot", *words, "--results", results)
        assert code == 1 and "Runs that diverged" not in err


CONFIGS: list[dict[str, Any]] = [
    {"loss": "center"},
    {"loss": "center", "lam": 0.1, "settings": {"alpha": 0.2}},
    {"loss": "0.5*softmax"},
    {"loss": "0.5*softmax + 0.1*center", "settings": {"center.alpha": 0.3}},
    {"loss": "softmax + 0.0005*center + 0.2*ring", "settings": {"ring.radius": 3.5}},
    {"loss": "softmax + triplet", "samples_per_class": 4},
    {"loss": "softmax + 0.25*triplet", "classes_per_batch": 5, "samples_per_class": 8},
    {"loss": "softmax", "settings": {"fixed": True}},
    {"loss": "triplet", "settings": {"mining": "all", "margin": 0.3}, "batch_size": 60},
    {"loss": "arcface", "settings": {"margin": 0.2, "scale": 20.0}, "feature_dim": 8, "seed": 3},
    {"loss": "softmax", "sampler": "balanced", "val_size": 100, "precision": "fp32"},
    {"loss": "center", "optimizer": "sgd", "nesterov": False, "momentum": 0.8, "lr": 0.02},
    {"loss": "center", "schedule": "step", "milestones": "0.3,0.6", "decay": 0.5, "lr_scale": "loss=5"},
    {"loss": "center", "recipe": "paper"},
    {"loss": "softmax", "recipe": "fast", "dataset": "mnist"},
    {
        "loss": "softmax",
        "dataset": "fashion-mnist",
        "unseen": "sneaker-boot",
        "network": "lenet++",
        "epochs": 2,
    },
]


@pytest.mark.parametrize("options", CONFIGS, ids=lambda each: "-".join(map(str, each.values())))
def test_the_command_of_a_run_trains_the_same_run(
    options: dict[str, Any], tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(**{"dataset": "digits", **options})
    command = command_of(Store(tmp_path / "my results").run(config))
    found = []

    def seen(loss: str, point: Any) -> None:
        found.append(config_at(loss, point))
        raise UsageError("seen")

    monkeypatch.setattr("lossbench.cli.train.config_at", seen)
    program, *words = shlex.split(command)
    assert (program, *words[:2]) == ("lossbench", "train", "--loss")
    assert words[-2:] == ["--results", str(tmp_path / "my results")]
    assert (call(capsys, *words)[0], found) == (2, [config])


def test_the_command_of_a_run_is_short() -> None:
    config = make_config(loss="center", lam=0.1, dataset="digits", seed=2)
    command = "lossbench train --loss center --lambda 0.1 --dataset digits --seed 2"
    assert command_of(Store(Path("results")).run(config)) == command


def test_the_suggestions_for_snapshots_work_as_they_are_printed(capsys: Any, tmp_path: Path) -> None:
    """`train`, `train --snapshots`, `animate`: each sentence has the whole command, with the run's settings."""
    results = tmp_path / "my results"
    words = ["--dataset", "digits", "--epochs", "1", "--batch-size", "200", "--device", "cpu"]
    train = ["train", "--loss", "center", "--lambda", "0.02", *words, "--results", results]
    assert call(capsys, *train)[0] == 0
    errors = []
    for more in ((), ("--loss", "center"), ("--run", "center")):
        code, _, error = call(capsys, "animate", *more, "--results", results)
        assert code == 1
        errors.append(error)
    assert len(set(errors)) == 1
    command = errors[0].partition("`")[2].partition("`")[0]
    assert command.startswith("lossbench train --loss center --lambda 0.02 ")
    assert call(capsys, *shlex.split(command)[1:])[0] == 0
    code, _, told = call(capsys, "animate", "--results", results)
    assert code == 0
    assert Path(told.rpartition("Animation: ")[2].strip()).suffix == ".gif"


def test_a_figure_of_one_dimension_shows_the_runs_of_that_dimension(capsys: Any, tmp_path: Path) -> None:
    words = ["train", "--loss", "softmax", "--dataset", "digits", "--epochs", "1", "--results", tmp_path]
    assert call(capsys, *words)[0] == 0
    code, _, error = call(capsys, "plot", "sphere", "--results", tmp_path)
    assert code == 1 and "no finished run with --feature-dim 3; there are runs with --feature-dim 2." in error
    assert "`lossbench compare --losses softmax,center,arcface --feature-dim 3" in error
    assert call(capsys, *words, "--feature-dim", "3")[0] == 0
    for figure, dim in (("sphere", 3), ("ring", 2), ("features", 3)):  # the newest of any dimension
        code, out, _ = call(capsys, "plot", figure, "--results", tmp_path, "--json")
        (name,) = json.loads(out)["runs"]
        assert code == 0 and Store(tmp_path).find(name).config.feature_dim == dim
    code, _, error = call(capsys, "plot", "sphere", "--feature-dim", "2", "--results", tmp_path)
    assert code == 1 and "3-D features only" in error


@pytest.mark.parametrize(
    "words",
    [
        ("animate",),
        ("plot", "features"),
        ("plot", "--run", "center"),
        ("runs",),
        ("compare", "--losses", "center", "--tuned"),
        ("report",),
        ("export", "--run", "center", "--output", "a.onnx"),
    ],
    ids=" ".join,
)
def test_suggested_commands_name_the_folders_that_were_given(
    words: tuple[str, ...], capsys: Any, tmp_path: Path
) -> None:
    results = tmp_path / "my results"
    code, _, error = call(capsys, *words, "--results", results)
    command = error.partition("`")[2].partition("`")[0]
    assert command.startswith("lossbench ")
    assert shlex.split(command)[-2:] == ["--results", str(results)]
    if "--json" in words or code == 0:
        return
    document = json.loads(call(capsys, *words, "--results", results, "--json")[1])
    assert f"`{command}`" in document["reason"]


def test_a_suggested_command_has_the_data_folder_where_it_was_given(capsys: Any, tmp_path: Path) -> None:
    data, results = tmp_path / "the data", tmp_path / "results"
    words = ("plot", "features", "--data-dir", data, "--results", results)
    command = call(capsys, *words)[2].partition("`")[2].partition("`")[0]
    assert shlex.split(command) == [
        *("lossbench", "compare", "--results", str(results)),
        *("--data-dir", str(data)),
    ]
    assert "--results" not in call(capsys, "losses", "cosfcae")[2]  # of the command before


def test_a_suggested_command_names_the_place_of_a_users_data(tmp_path: Path) -> None:
    place = tmp_path / "my features.npz"
    np.savez(place, features=np.random.RandomState(0).rand(40, 3), labels=np.arange(40) % 2)
    config = make_config(dataset=place)
    command = command_of(Store(Path("results")).run(config))
    assert shlex.split(command)[-2:] == ["--dataset", str(place)]
    assert shlex.split(command_for(["center"], RunFilter(), config).strip("`"))[-2:] == [
        *("--dataset", str(place))
    ]


def test_a_figure_shows_runs_of_one_seed_and_equal_epochs(capsys: Any, stored: Path) -> None:
    name, runs = plotted(capsys, stored, "plot", "confusion", "--loss", "softmax,center")
    assert (name, runs) == ("confusion-softmax-center-digits.png", ["softmax", "center"])
    code, _, err = call(
        capsys, "plot", "confusion", "--loss", "softmax,center", "--seed", "1", "--results", stored
    )
    assert code == 1
    assert "There is no finished run of softmax with --seed 1; there are runs with --seed 0." in err
    assert re.search(f"`lossbench train --loss softmax --dataset .* --seed 1 --results {stored}`", err)


def test_the_name_of_a_file_says_what_was_asked_for(capsys: Any, stored: Path) -> None:
    name, _ = plotted(capsys, stored, "plot", "confusion", "--loss", "center", "--seed", "1")
    assert name == "confusion-center-digits-seed-1.png"
    name, _ = plotted(capsys, stored, "plot", "confusion", "--loss", "softmax", "--epochs", "1")
    assert name == "confusion-softmax-digits-epochs-1.png"
    words = ("--loss", "center", "--dataset", "digits", "--seed", "1")
    assert plotted(capsys, stored, "plot", "confusion", *words)[0] == "confusion-center-digits-seed-1.png"


@pytest.mark.parametrize(
    ("view", "style", "label", "name", "choices"),
    [
        ("raw", "paper", "", "raw", "view raw"),
        ("normalized", "dark", "seed-4", "normalized-dark-seed-4", "view normalized, style dark"),
    ],
)
def test_the_name_of_an_animation_says_what_was_asked_for(
    tmp_path: Path, monkeypatch: Any, view: str, style: str, label: str, name: str, choices: str
) -> None:
    drawn = {}
    monkeypatch.setattr("lossbench.reports.animation.animate", lambda *_, **options: drawn.update(options))
    runs: Any = [UntrainedRun(make_config(loss="center", dataset="digits"))]
    store, how = Store(tmp_path), {"view": view, "style": style, "fps": 3.0}
    path = write_animation(store, runs, None, **how, label=label, command="lossbench animate")
    assert path == store.figures / f"animation-center-digits-{name}.gif"
    assert drawn == how
    document = json.loads(Path(f"{path}.json").read_text())
    assert (document["kind"], document["command"]) == ("animate", "lossbench animate")
    assert [(file["kind"], file["choices"]) for file in document["files"]] == [("animation", choices)]


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
    assert "epochs 1 · " in captions["Softmax", 1] and captions["Softmax", 1].endswith("seed 0")
    assert "epochs 3 · " in captions["Softmax", 3] and captions["Softmax", 3].endswith("seed 0")
    assert "epochs 3 · " in captions["Center", 3] and captions["Center", 3].endswith("seed 1")


def test_the_conditions_of_the_runs_shown_are_said_where_there_are_others(capsys: Any, stored: Path) -> None:
    words = ("plot", "confusion", "--results", stored, "--loss")
    assert "Of the runs of softmax those with epochs 1 are shown." in call(capsys, *words, "softmax")[2]
    assert "are shown" not in call(capsys, *words, "center")[2]


@pytest.mark.parametrize(
    "command", [["plot", "leaderboard"], ["plot", "roc"], ["plot", "curves"], ["explore"]]
)
def test_a_loss_asked_for_is_never_left_out(capsys: Any, stored: Path, command: list[str]) -> None:
    code, _, err = call(capsys, *command, "--loss", "softmax,cosface", "--results", stored)
    assert code == 1
    assert "no finished run of cosface" in err
    assert re.search(f"`lossbench train --loss cosface --dataset .* --results {stored}`", err)
    code, _, err = call(capsys, *command, "--loss", "softmax,cosfcae", "--results", stored)
    assert code == 2
    assert "did you mean cosface" in err


def test_a_damaged_run_does_not_keep_others_from_being_shown(
    capsys: Any, stored: Path, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    shutil.copytree(stored, results)
    damaged = next(run for run in Store(results).all()[0] if run.config.seed == 1)
    (damaged.path / "result.json").write_text('{"status": "done"}')
    for command in (["plot", "features", "--loss", "softmax"], ["explore"], ["plot", "leaderboard"]):
        code, _, err = call(capsys, *command, "--results", results)
        assert (code, err.count(damaged.name)) == (0, 1), err
    assert len(lossbench.runs(results=results)) == 3
    code, _, err = call(capsys, "plot", "--run", damaged.name, "--results", results)
    assert code == 1 and "--force trains it again" in err


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
