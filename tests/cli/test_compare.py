"""`lossbench compare` as a user types it: files, figures, JSON, metrics measured once, and refusals."""

from __future__ import annotations

import csv
import itertools
import json
import math
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import lossbench
from lossbench.__main__ import main
from lossbench.errors import RunError, UsageError
from lossbench.experiments.comparison import comparison_configs, tuned_configs
from lossbench.experiments.tuning_result import describe_tuning, search_conditions, tuned_alike
from lossbench.reports.figure_files import compose_ranks, render_figure
from lossbench.runs import measurement
from lossbench.runs.config_builder import make_config
from lossbench.runs.store import Store
from lossbench.training import train as running

from ..data.test_datasets import write_data_set

Capture = pytest.CaptureFixture[str]
QUICK = ["--dataset", "digits", "--epochs", "1", "--batch-size", "100", "--device", "cpu"]
LOSSES = ["--losses", "softmax,center,triplet", "--seeds", "0-1"]
METRICS = ["--metric", "map-at-r,test_accuracy", "--baseline", "center"]
NAME = "compare-softmax-center-triplet-digits"
PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with three losses over two seeds, compared by a metric that training leaves out."""
    folder = tmp_path_factory.mktemp("compared")
    assert main(["compare", *QUICK, *LOSSES, *METRICS, "--results", str(folder)]) == 0
    return folder


def call(capsys: Capture, *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["compare", *(str(argument) for argument in arguments)])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return code, captured.out, captured.err


def document(capsys: Capture, *arguments: object) -> Any:
    code, out, _ = call(capsys, *arguments, "--json")
    assert code == 0
    return json.loads(out, parse_constant=pytest.fail)


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def forbidden(*_: object, **__: object) -> None:
    raise AssertionError("nothing is to be computed here")


def test_files_and_figures(compared: Path) -> None:
    assert {path.name for path in (compared / "tables").iterdir()} == {
        f"{NAME}{end}" for end in (".csv", ".md", ".tex", ".json", "-against.csv")
    }
    for figure in (f"{NAME}.png", f"{NAME}-forest.png"):
        assert (compared / "figures" / figure).read_bytes().startswith(PNG)
        assert f"figures/{figure}" in (compared / "README.md").read_text()
    text = (compared / "tables" / f"{NAME}.md").read_text()
    assert "Against Center, paired by seed" in text
    assert "MAP@R" in text


def test_one_json_document_of_what_is_stored(compared: Path, capsys: Capture, monkeypatch: Any) -> None:
    """The second call trains nothing, measures nothing, and its numbers are those of the runs."""
    monkeypatch.setattr(measurement, "measure", forbidden)
    monkeypatch.setattr(running, "Trainer", forbidden)
    before = {path: path.stat().st_mtime_ns for path in (compared / "runs").rglob("*") if path.is_file()}
    shown = document(capsys, *QUICK, *LOSSES, *METRICS, "--results", compared)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert set(shown) >= {"runs", "settings", "against", "figures", "conditions", "command"}
    assert [setting["loss"] for setting in shown["settings"]] == ["softmax", "center", "triplet"]
    assert {(entry["metric"], entry["loss"]) for entry in shown["against"]} == {
        (metric, loss) for metric in ("map-at-r", "test_accuracy") for loss in ("softmax", "triplet")
    }
    values = {run["run"]: run for run in shown["runs"]}
    assert len(values) == 6
    scores = [run["metrics"]["map-at-r"] for run in shown["runs"]]
    expected = [own - base for own, base in zip(scores[4:], scores[2:4], strict=True)]
    assert shown["against"][1]["differences"] == expected
    written = lines(compared / "tables" / f"{NAME}-against.csv")
    assert [float(number) for number in written[1]["differences"].split()] == expected
    for run in shown["runs"]:
        remembered = json.loads((compared / "runs" / run["run"] / "metrics.json").read_text())
        assert remembered == {"map-at-r": run["metrics"]["map-at-r"]}
    averages = [float(line["map-at-r"]) for line in lines(compared / "tables" / f"{NAME}.csv")]
    np.testing.assert_allclose(averages, np.reshape(scores, (3, 2)).mean(axis=1))


def test_force_forgets_what_was_measured(compared: Path, capsys: Capture, tmp_path: Path) -> None:
    shutil.copytree(compared / "runs", tmp_path / "runs")
    options = [*QUICK, "--losses", "softmax", "--results", tmp_path]
    run = Store(tmp_path).run(make_config(loss="softmax", dataset="digits", epochs=1, batch_size=100))
    assert run.metrics()
    code, _, err = call(capsys, *options, "--force")
    assert code == 0
    assert "0 of 1 run is stored, 1 to train" in err
    assert err.startswith("Timing some steps of the runs.\n")  # before what takes seconds
    assert run.metrics() == {}
    (shown,) = document(capsys, *options, "--metric", "map-at-r")["runs"]
    assert run.metrics() == {"map-at-r": shown["metrics"]["map-at-r"]}


def test_one_seed_has_no_paired_table(compared: Path, capsys: Capture) -> None:
    options = [*QUICK, "--losses", "softmax,triplet", "--seeds", "1", "--results", compared]
    code, out, err = call(capsys, *options)
    assert code == 0
    assert "Against" not in out
    assert "to train" not in err
    assert not list(compared.glob("*/compare-softmax-triplet-digits-*"))
    shown = document(capsys, *options)
    assert shown["against"] == []
    assert shown["settings"][0]["metrics"]["test_accuracy"]["half_width"] is None


def test_a_metric_that_is_not_defined_is_null_at_once(
    capsys: Capture, tmp_path: Path, monkeypatch: Any
) -> None:
    """Fresh from training it is NaN or infinite, which is no JSON; the second call shows the same."""
    monkeypatch.setattr(measurement, "measure", lambda *_: {"gap": math.nan, "spread-gap": math.inf})
    options = [*QUICK, "--losses", "softmax", "--results", tmp_path]
    first = document(capsys, *options)
    assert first["runs"][0]["metrics"] == {"gap": None, "spread-gap": None}
    second = document(capsys, *options)
    for shown in (first, second):
        assert shown.pop("command")
    assert first == second


def test_older_results_lack_metrics_and_scores(compared: Path, capsys: Capture, tmp_path: Path) -> None:
    """As an older version stored them: what can be measured is, the rest is a dash."""
    shutil.copytree(compared / "runs", tmp_path / "runs")
    for path in (tmp_path / "runs").iterdir():
        (path / "metrics.json").unlink()
        result = json.loads((path / "result.json").read_text())
        result["metrics"] = {name: result["metrics"][name] for name in ("accuracy", "gap", "spread-gap")}
        (path / "result.json").write_text(json.dumps(result))
        with np.load(path / "features.npz") as arrays:
            kept = {name: arrays[name] for name in arrays.files if not name.endswith("_scores")}
        np.savez(path / "features.npz", **kept)
    options = [*QUICK, *LOSSES, "--metric", "nll,recall-at-1,nn-accuracy", "--results", tmp_path]
    shown = document(capsys, *options)
    for run in shown["runs"]:
        assert run["metrics"]["nll"] is None
        assert 0 < run["metrics"]["recall-at-1"] <= 1
        assert 0 < run["metrics"]["nn-accuracy"] <= 1
    assert [entry["n"] for entry in shown["against"]] == [0, 0, 2, 2, 2, 2]
    code, out, _ = call(capsys, *options)
    assert code == 0
    assert "1-NN accuracy (%)" in out


@pytest.mark.parametrize("name", ["features.npz", "result.json"])
def test_a_damaged_file_is_the_failure_of_its_run_alone(
    name: str, compared: Path, capsys: Capture, tmp_path: Path
) -> None:
    shutil.copytree(compared / "runs", tmp_path / "runs")
    for path in (tmp_path / "runs").glob("*/metrics.json"):
        path.unlink()
    damaged = next((tmp_path / "runs").glob(f"center-*/{name}"))
    damaged.write_text("{")
    options = [*QUICK, *LOSSES, "--metric", "recall-at-1", "--results", tmp_path]
    code, out, err = call(capsys, *options)
    assert code == 1
    assert "0 / 1" in out
    assert "1-NN accuracy" in out or "recall at 1" in out
    assert str(damaged) in err
    assert "--force" in err
    assert call(capsys, *options, "--force")[0] == 0


def test_a_baseline_that_failed_is_counted_and_decides_nothing(
    compared: Path, capsys: Capture, tmp_path: Path, monkeypatch: Any
) -> None:
    shutil.copytree(compared / "runs", tmp_path / "runs", ignore=shutil.ignore_patterns("softmax-*"))

    def broken(*_: object, **__: object) -> None:
        raise RunError("this loss fails")

    monkeypatch.setattr(running, "Trainer", broken)
    code, out, err = call(capsys, *QUICK, *LOSSES, "--json", "--results", tmp_path)
    assert code == 1
    assert "2 of 6 runs failed (the first: this loss fails); their folders hold a log" in err
    shown = json.loads(out)
    assert [run["status"] for run in shown["runs"][:2]] == ["failed", "failed"]
    assert {run["reason"] for run in shown["runs"][:2]} == {"this loss fails"}
    assert {(entry["n"], entry["unpaired"], entry["verdict"]) for entry in shown["against"]} == {(0, 2, None)}
    assert not (tmp_path / "figures" / f"{NAME}-forest.png").exists(), "there is nothing to draw"
    code, out, _ = call(capsys, *QUICK, *LOSSES, "--baseline", "triplet", "--results", tmp_path)
    assert code == 1
    (failed,) = (line for line in out.splitlines() if "0 of 2 (2 failed)" in line)
    assert "distinguishable" not in failed, "nothing was tested"
    assert [row["verdict"] == "" for row in lines(tmp_path / f"tables/{NAME}-against.csv")] == [True, False]
    assert "0 / 2" in out
    assert (tmp_path / "figures" / f"{NAME}-forest.png").read_bytes().startswith(PNG)


def test_when_everything_fails_there_is_a_table_and_no_file(
    capsys: Capture, tmp_path: Path, monkeypatch: Any
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RunError("this machine fails")

    monkeypatch.setattr(running, "Trainer", broken)
    options = [*QUICK, "--losses", "softmax,center", "--results", tmp_path]
    code, out, err = call(capsys, *options, "--seeds", "0")
    assert code == 1
    assert "2 of 2 runs failed" in err
    assert "0 / 1" in out
    assert not (tmp_path / "tables").exists()
    code, out, err = call(capsys, *options, "--seeds", "0-4")
    assert code == 1
    assert "3 runs in a row failed for the same reason, so no other was started: this machine fails" in err


def test_what_no_run_can_train_on_is_one_sentence_before_any_training(
    capsys: Capture, tmp_path: Path
) -> None:
    np.savez(tmp_path / "small.npz", images=np.zeros((600, 8, 8), np.uint8), labels=np.arange(600) % 3)
    mistakes = {
        "Images of 8 x 8 are too small for this network": [*QUICK[2:], "--dataset", tmp_path / "small.npz"],
        "--batch-size 5000 is more than the 1253 training images": [*QUICK, "--batch-size", "5000"],
    }
    for sentence, options in mistakes.items():
        code, out, err = call(capsys, *options, "--losses", "softmax,center", "--results", tmp_path / "r")
        assert (code, out) == (2, "")
        assert err.count(sentence) == 1
        assert "lossbench: " + sentence in err
        assert not (tmp_path / "r").exists()


def test_another_comparison_overwrites_no_file(capsys: Capture, tmp_path: Path) -> None:
    """More seeds of the same settings are the same one."""

    def files_after(*options: str) -> dict[str, bytes]:
        quick = [*QUICK[:2], *QUICK[4:], "--network", "linear", "--losses", "softmax"]
        assert call(capsys, *quick, *options, "--results", tmp_path)[0] == 0
        paths = [path for folder in ("tables", "figures") for path in (tmp_path / folder).iterdir()]
        return {path.name: path.read_bytes() for path in paths if path.suffix != ".lock"}

    first = files_after("--epochs", "1", "--seeds", "0")
    both = files_after("--epochs", "2", "--seeds", "0")
    assert first.items() < both.items() and len(both) == 2 * len(first)
    again = files_after("--epochs", "1", "--seeds", "0-1")
    assert both.keys() == again.keys()
    changed = {name for name in both if both[name] != again[name]}
    assert "compare-softmax-digits.md" in changed <= first.keys()
    for seed in ("1", "0", "1"):
        fewer = files_after("--epochs", "1", "--seeds", seed)
        assert again.items() <= fewer.items(), "tables of two seeds are not replaced by those of one"
    assert len(fewer) == 4 * len(first)


def test_two_settings_of_one_loss_have_a_panel_each(compared: Path, capsys: Capture) -> None:
    """Also the same run under two names, which is trained once."""
    losses = "center,softmax + 0.003*center,softmax + 0.1*center"
    code, out, err = call(capsys, *QUICK, "--losses", losses, "--results", compared)
    assert code == 0
    assert "1 of 2 runs are stored, 1 to train" in err
    assert out.count("Center") == 2
    shown = (compared / "figures/compare-center-digits.png").read_bytes()
    names = [path.name.encode() for path in (compared / "runs").glob("center-*")]
    assert sum(name in shown for name in names) == 2


def test_several_data_sets_are_ranked(compared: Path, capsys: Capture, tmp_path: Path) -> None:
    write_data_set(tmp_path, "FashionMNIST")
    options = ["--datasets", "digits,fashion-mnist", "--losses", "softmax,center", "--seeds", "0-1"]
    options += ["--val-size", "10", "--batch-size", "40", "--epochs", "1", "--data-dir", str(tmp_path)]
    shown = document(capsys, *options, "--device", "cpu", "--results", compared)
    name = "compare-softmax-center-digits-fashion-mnist"
    assert [Path(figure).name for figure in shown["figures"]] == [
        f"{name}-digits.png",
        f"{name}-forest-digits.png",
        f"{name}-fashion-mnist.png",
        f"{name}-forest-fashion-mnist.png",
        f"{name}-ranks.png",
    ]
    assert all(Path(figure).read_bytes().startswith(PNG) for figure in shown["figures"])
    assert [entry["dataset"] for entry in shown["against"]] == ["digits", "fashion-mnist"]
    assert [line["dataset"] for line in lines(compared / "tables" / f"{name}.csv")] == [
        "digits",
        "fashion-mnist",
        "digits",
        "fashion-mnist",
    ]
    assert shown["conditions"].startswith("Digits with 10, Fashion-MNIST with 10 validation images")
    forest = (compared / "figures" / f"{name}-forest-digits.png").read_bytes()
    assert b"dataset digits" in forest and b"fashion-mnist" not in forest


@pytest.mark.parametrize("count", [2, 6, 39])
def test_ranks_of_many_losses_can_be_read(count: int) -> None:
    scores = np.random.RandomState(0).rand(3, count) + np.arange(count)
    names = [f"a loss of number {number}" for number in range(count)]
    figure = render_figure(compose_ranks(names, scores, "map-at-r"))
    figure.canvas.draw()
    (axes,) = figure.axes
    assert axes.get_xlabel() == "mean rank by MAP@R over 3 data sets (1 is best)"
    texts = [child for child in axes.get_children() if str(child.get_gid()).startswith("name-")]
    for group in (axes.get_xticklabels(), texts):
        boxes = [text.get_window_extent() for text in group]
        assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--baseline", "arcface"],
            "--baseline arcface is not one of the losses compared: softmax, center, triplet",
        ),
        (["--datasets", "digits,mnist"], "--dataset and --datasets exclude each other"),
        (["--metric", "map-at-rr"], "did you mean map-at-r"),
        (["--metric", "unseen-map-at-r"], "needs classes kept out of training: --unseen"),
    ],
)
def test_refusals(compared: Path, capsys: Capture, arguments: list[str], sentence: str) -> None:
    before = sorted(compared.rglob("*"))
    code, out, err = call(capsys, *QUICK, *LOSSES, *arguments, "--results", compared)
    assert (code, out) == (2, "")
    assert sentence in err
    assert sorted(compared.rglob("*")) == before


def test_another_name_of_the_same_runs_is_no_further_comparison(capsys: Capture, tmp_path: Path) -> None:
    """Counted twice, it would double the adjusted p values of all. Any name of the runs, and any spacing,
    names the baseline."""
    command = [*QUICK, "--seeds", "0-1", "--results", tmp_path]
    once = document(capsys, *command, "--losses", "softmax,center,git")
    command += ["--losses", "ce,center,softmax + 0.003*center,git"]
    assert document(capsys, *command)["against"] == once["against"]
    of_center = document(capsys, *command, "--baseline", "softmax+0.0030*center")["against"]
    assert [(row["baseline"], row["loss"]) for row in of_center] == [("center", "softmax"), ("center", "git")]


def test_an_unknown_data_set_among_several(capsys: Capture, tmp_path: Path) -> None:
    code, _, err = call(capsys, "--datasets", "digits,mnits", "--results", tmp_path)
    assert code == 2
    assert "did you mean" in err


def test_tuned_settings_join_those_that_were_given(tmp_path: Path, monkeypatch: Any) -> None:
    tuned = tuning("arcface", point={"lr": 0.004, "arcface.scale": 20.0})
    monkeypatch.setattr("lossbench.experiments.tuning_result.read_result", lambda *_: tuned)
    given = make_config(loss="arcface", dataset="digits", settings={"margin": 0.2}, seed=4, epochs=7)
    (config,) = tuned_configs(Store(tmp_path), {"arcface": [given]})[0]["arcface"]
    assert (config.lr, config.seed, config.epochs) == (0.004, 4, 7)
    assert dict(config.terms[0].settings) == {**dict(given.terms[0].settings), "scale": 20.0}
    tuned.point = {}
    center = make_config(loss="center", lam=0.25, dataset="digits")
    assert tuned_configs(Store(tmp_path), {"center": [center]})[0] == {"center": [center]}


@pytest.mark.parametrize(
    ("given", "settings", "option"),
    [
        ({"lr": 0.3}, {}, "--lr 0.3: tuning found 0.004 for center"),
        ({"lambda": 0.25}, {}, "--lambda 0.25: tuning found 0.02 for center"),
        ({}, {"alpha": 0.9}, "--alpha 0.9: tuning found 0.1 for center"),
        ({}, {"center.alpha": 0.9}, "--set center.alpha=0.9: tuning found 0.1 for center"),
    ],
)
def test_an_option_that_tuning_found_another_value_of_is_refused(
    tmp_path: Path, monkeypatch: Any, given: dict[str, float], settings: dict[str, float], option: str
) -> None:
    found = {"lr": 0.004, "lambda": 0.02, "center.alpha": 0.1}
    monkeypatch.setattr(
        "lossbench.experiments.tuning_result.read_result", lambda *_: tuning("center", point=found)
    )
    axes = {"dataset": ("digits",), **{name: (value,) for name, value in (given | settings).items()}}
    with pytest.raises(UsageError, match=f"^{re.escape(option)}, which --tuned takes; leave one of them out"):
        tuned_configs(Store(tmp_path), comparison_configs(["center"], axes), axes)
    same = {
        "dataset": ("digits",),
        **{name: (found.get(name, 0.1),) for name in given | settings},
    }
    ((config,),) = tuned_configs(Store(tmp_path), comparison_configs(["center"], same), same)[0].values()
    assert (config.lr, config.value_of("lambda"), config.value_of("alpha")) == (0.004, 0.02, 0.1)


def test_a_search_under_other_conditions_is_warned_of(tmp_path: Path, monkeypatch: Any) -> None:
    """The learning rate that suits one optimizer does not suit another."""
    results = {loss: tuning(loss, optimizer="sgd", point={"lr": 0.1}) for loss in ("arcface", "center")}
    monkeypatch.setattr(
        "lossbench.experiments.tuning_result.read_result", lambda _, config, __: results[config.loss]
    )
    options = {"dataset": ("digits",), "seed": (0, 1)}
    _, text, alike = tuned_configs(Store(tmp_path), comparison_configs([*results], options))
    assert not alike
    assert "The search of arcface, center had " in text
    assert re.search(r"had .*optimizer SGD.*; these runs have .*optimizer Muon", text)
    options["optimizer"] = ("sgd",)
    _, text, alike = tuned_configs(Store(tmp_path), comparison_configs([*results], options))
    assert alike and "The search of" not in text


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"trials": 30}, "30 trials"),
        ({"metric": "nn-accuracy"}, "by 1-NN accuracy"),
        ({"seeds": (7,)}, "seed 7"),
        ({"epochs": 2}, "2 epochs"),
        ({"feature_dim": 3}, "3-D features"),
    ],
)
def test_losses_tuned_unequally_are_warned_of_and_the_table_says_so(
    tmp_path: Path, monkeypatch: Any, other: dict[str, Any], words: str
) -> None:
    results = {"arcface": tuning("arcface"), "center": tuning("center", **other)}
    monkeypatch.setattr(
        "lossbench.experiments.tuning_result.read_result", lambda _, config, __: results[config.loss]
    )
    configs = {loss: [make_config(loss=loss, dataset="digits")] for loss in results}
    _, text, alike = tuned_configs(Store(tmp_path), configs)
    assert not alike
    assert "not under equal conditions" in text
    assert words in text
    results["center"] = tuning("center")
    _, text, alike = tuned_configs(Store(tmp_path), configs)
    assert alike
    assert text == (
        "Settings found by `lossbench tune` by val accuracy, 3 trials of 27 epochs, seeds 1000, 1001, "
        "2-D features, 180 validation images."
    )


def test_seeds_that_tuning_used_are_refused(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(
        "lossbench.experiments.tuning_result.read_result", lambda *_: tuning("center", seeds=(0, 1))
    )
    configs = {"center": [make_config(loss="center", dataset="digits", seed=seed) for seed in (1, 2)]}
    with pytest.raises(UsageError, match=r"center was tuned on seed 1; compare on others, .*--seeds 2,3,4"):
        tuned_configs(Store(tmp_path), configs)
    configs |= {"git": [make_config(loss="git", dataset="digits", seed=0)]}
    with pytest.raises(UsageError, match=r"center was tuned on seeds 0, 1; .* such as --seeds 2,3,4,5,6\.$"):
        tuned_configs(Store(tmp_path), configs)


def test_searches_on_several_data_sets_are_told_for_each() -> None:
    """Alike are those of one data set; whether the data sets differ does not matter."""
    digits = [tuning(loss, unseen="8,9", val_size=100) for loss in ("arcface", "center")]
    on_mnist = [tuning(loss, trials=30, seeds=(5,), dataset="mnist") for loss in ("arcface", "center")]
    text, alike = describe_tuning({each.config: each for each in (*digits, *on_mnist)})
    assert alike and text == (
        "Settings found by `lossbench tune` digits: by val accuracy, 3 trials of 27 epochs, seeds 1000, 1001, 2-D "
        "features, 100 validation images, without classes 8, 9; mnist: by val accuracy, 30 trials of 4 epochs, "
        "seed 5, 2-D features, 5,000 validation images."
    )
    another = tuning("git", trials=30, seeds=(6,), dataset="mnist")
    text, alike = describe_tuning({each.config: each for each in (*digits, *on_mnist, another)})
    assert not alike
    assert "not under equal conditions: arcface on digits by val accuracy, 3 trials" in text
    assert "; git on mnist by val accuracy, 30 trials of 4 epochs, seed 6, " in text


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"metric": "gap"}, "by gap · seeds 1000, 1001"),
        ({"seeds": (7,)}, "by val accuracy · seed 7"),
        ({"epochs": 2}, "epochs 2"),
        ({"optimizer": "sgd"}, "optimizer SGD"),
        ({"label_noise": 0.1}, "label noise 0.1"),
        ({"batch_size": 64}, "batch size 6"),  # of losses on pairs 60
        ({"classes_per_batch": 5}, "classes per batch 5"),
    ],
)
@pytest.mark.parametrize("pairs", [False, True])
def test_only_searches_under_equal_conditions_are_drawn_together(
    other: dict[str, Any], words: str, pairs: bool
) -> None:
    """The balanced batches that losses on pairs draw are no other condition."""
    usual: Any = [tuning(name) for name in ("softmax", "triplet", "git")]
    assert all(itertools.starmap(tuned_alike, itertools.product(usual, repeat=2)))
    assert {search_conditions(each) for each in usual} == {"by val accuracy · seeds 1000, 1001"}
    another: Any = tuning("triplet" if pairs else "git", **other)
    assert not any(tuned_alike(each, another) for each in usual)
    assert words in search_conditions(another)


def tuning(loss: str, *, point: Any = None, **options: Any) -> SimpleNamespace:
    """A result of tuning."""
    found = {"metric": "val_accuracy", "trials": 3, "seeds": (1000, 1001)}
    found |= {name: options.pop(name) for name in list(options) if name in found}
    config = make_config(loss=loss, **{"dataset": "digits", **options})
    return SimpleNamespace(point=point or {}, loss=loss, config=config, **found)


def test_panels_of_a_sweep_say_which_option_differs(tmp_path: Path) -> None:
    options: dict[str, Any] = {"dataset": "digits", "epochs": 1, "train_size": 200, "label_noise": [0, 0.5]}
    swept = lossbench.sweep("softmax", **options, jobs=1, results=tmp_path, progress=False)
    texts = [text.get_text() for axes in swept.figure("lambda-grid").axes for text in axes.texts]
    assert {"label noise 0", "label noise 0.5"} <= {*texts}
