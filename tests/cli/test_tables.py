"""What commands print for people: every row and column of their tables, from results that are known."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from lossbench.__main__ import main
from lossbench.cli import _publish, reproduce
from lossbench.cli._options import Request
from lossbench.cli.runs import _SORTED
from lossbench.cli.train import _print_result
from lossbench.cli.tune import _pairs, _show_study
from lossbench.engines import LOCAL
from lossbench.experiments.search_space import StudyConfig
from lossbench.experiments.tuning_result import TuningResult, write_result
from lossbench.reports import figure_files
from lossbench.reports.experiment import report_comparison
from lossbench.runs.config_builder import make_config
from lossbench.runs.result import Machine, RunResult, Status
from lossbench.runs.store import Store
from lossbench.specs import catalog

from ..reports.test_result_tables import outcome

FORMATS = Path(__file__).parents[1] / "formats" / "1"
Capture = pytest.CaptureFixture[str]


def rows_of(capsys: Capture) -> list[list[str]]:
    """The cells of the table that was printed, its header first."""
    lines = [line for line in capsys.readouterr().out.splitlines() if line[:1] in ("┃", "│")]
    return [[cell.strip() for cell in line.replace("┃", "│").split("│")[1:-1]] for line in lines]


def test_the_table_of_runs(capsys: Capture) -> None:
    assert main(["runs", "--results", str(FORMATS)]) == 0
    assert rows_of(capsys) == [
        ["run", "settings", "data", "network", "epochs", "seed", "status", "test (%)", "val (%)"],
        ["center-87ab7b18c5", "λ = 0.003, α = 0.5", "digits", "compact", "2", "0", "done", "49.45", "48.89"],
    ]
    for status, count in (("done", 1), ("diverged", 0), ("incomplete", 0), ("broken", 0)):
        assert main(["runs", "--results", str(FORMATS), "--status", status, "--json"]) == 0
        assert len(json.loads(capsys.readouterr().out)) == count
    assert main(["runs", "--results", str(FORMATS), "--status", "diverged"]) == 0
    assert capsys.readouterr() == ("", "None is diverged: 1 done.\n")
    ring = "There is no run of ring; there are runs of center. `lossbench train --loss ring --results {}` trains it.\n"
    for words, said in (
        ("--loss ring", ring.format(FORMATS)),
        (
            "--seed 0,7",
            "There is no run with --seed 7; there are runs with --seed 0. `lossbench compare --losses ",
        ),
        ("--loss center --margin 0.3", "--margin: center has no such setting.\n"),
    ):
        for more in ([], ["--json"]):
            assert main(["runs", "--results", str(FORMATS), *words.split(), *more]) == 0
            out, err = capsys.readouterr()
            assert err.startswith(said) and err.count("\n") == 1
            assert ("center-87ab7b18c5" in out) == (words != "--loss ring")


DIFFERENT: list[dict[str, Any]] = [
    {"loss": "softmax"},
    {"loss": "softmax", "label_noise": 0.2},
    {"loss": "softmax", "train_size": 500, "lr": 0.0001},
    {"loss": "softmax", "optimizer": "adamw", "network": "lenet", "epochs": 3},
    {"loss": "softmax + 0.01*center + 0.1*ring", "dataset": "mnist", "seed": 7},
]


@pytest.mark.parametrize("width", [80, 100, 160, 200])
def test_runs_that_differ_are_told_apart(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    configs = [make_config(**{"dataset": "digits", "epochs": 2, **options}) for options in DIFFERENT]
    for number, each in enumerate(configs):
        folder = Store(tmp_path).run(each)
        folder.begin()
        os.utime(folder.path / "config.json", (number, number))
    assert main(["runs", "--results", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= width
    cells: list[list[str]] = []
    for line in [line.split("│")[1:-1] for line in out.splitlines() if line[:1] == "│"]:
        cells += [["" for _ in line]] if line[0].strip() else []
        cells[-1] = [f"{text} {more.strip()}".strip() for text, more in zip(cells[-1], line, strict=True)]
    assert [name for name, *_ in cells] == [each.run_name for each in configs]
    assert len({tuple(more) for _, *more in cells}) == len(DIFFERENT)
    texts = [" ".join(line).lower() for line in cells]
    for text, options in zip(texts, DIFFERENT, strict=True):
        for name, value in options.items():
            shown = f"{value:g}" if isinstance(value, int | float) else value
            assert name == "loss" or shown in re.findall(r"[\w.]+", text)
    assert "label noise 0.2" in texts[1] and "label noise 0 " in texts[0] + " "
    assert main(["runs", "--results", str(tmp_path), "--loss", "softmax"]) == 0
    assert ("All: data digits." in capsys.readouterr().err) is (width < 100)  # else it has a column


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ("oldest", "abcd"),
        ("newest", "dcba"),
        ("loss", "dcab"),
        ("seed", "dcab"),
        ("epochs", "bcda"),
        ("test", "cabd"),
        ("val", "bcad"),
    ],
)
def test_orders_of_runs(order: str, names: str) -> None:
    made = [("a", "center", 2, 9, 0.8, 0.6), ("b", "ring", 3, 1, 0.7, 0.9), ("c", "center", 1, 2, 0.9, 0.8)]
    documents: list[dict[str, Any]] = [
        {
            **{"name": name, "loss_name": loss, "seed": seed, "config": {"epochs": epochs}},
            **{"test_accuracy": test, "val_accuracy": val},
        }
        for name, loss, seed, epochs, test, val in made
    ]
    documents.append(
        {"name": "d", "loss_name": "arcface", "seed": 0, "config": {"epochs": 3}}
    )  # not finished
    assert "".join(each["name"] for each in _SORTED[order](documents)) == names


def test_the_rows_of_a_run(capsys: Capture) -> None:
    config = make_config(loss="center", dataset="digits", unseen="8,9", seed=3)
    result = RunResult(
        run=config.run_name,
        status=Status.DONE,
        rule="class scores",
        seconds=2.34,
        images_per_second=12345.6,
        machine=Machine("cpu", "A Processor", 1, "2.8", "3.11", "Linux"),
        test_accuracy=0.9,
        val_accuracy=0.8,
        metrics={"accuracy": 0.9, "gap": 2.0, "ece": None},
        unseen={"eer": 0.25},
    )
    _print_result(config, result, "runs/a")
    shown = capsys.readouterr().out
    assert shown.startswith("Center λ = 0.003, α = 0.5 seed 3\n")
    assert [
        [cell.strip() for cell in line.split("│")[1:-1]] for line in shown.splitlines() if "│" in line
    ] == [
        ["test accuracy", "90.00 %  by class scores"],
        ["val accuracy", "80.00 %"],
        ["gap", "2.000"],
        ["unseen equal error rate", "0.250"],
        ["training time", "2.3 s on A Processor"],
        ["speed", "12,346 images/s"],
        ["files", "runs/a"],
    ]


@pytest.mark.parametrize(
    ("words", "feasible"),
    [
        ("center", {}),
        ("arcface", {"scale": "at least 15.1", "margin": "at most 0.628"}),
        ("normface --classes 3 --dim 1", {"scale": "none is large enough"}),
    ],
)
def test_the_settings_that_are_explained(capsys: Capture, words: str, feasible: dict[str, str]) -> None:
    loss, *shape = words.split()
    assert main(["explain", *words.split()]) == 0
    header, *rows = rows_of(capsys)
    classes, dim = shape[1::2] or ("10", "2")
    limits = ["feasible"] if feasible else []
    assert header == ["setting", f"here (C={classes}, D={dim})", "paper", "bounds", *limits, "meaning"]
    spec = catalog.spec("losses", loss)
    described = ({"lambda": spec.weight} if spec.weight else {}) | dict(spec.settings)
    assert [[row[0], *row[2:4], row[-1]] for row in rows] == [
        [name, each.paper, each.bounds, each.help] for name, each in described.items()
    ]
    if feasible:
        assert {row[0]: row[4] for row in rows if row[4]} == feasible
    assert rows[0][1] == {"center": "0.003"}.get(loss, "16")


def tuned(loss: str = "center", metric: str = "val_accuracy", default: float | None = 0.25) -> TuningResult:
    study = StudyConfig(loss, {"dataset": "digits"}, (7, 8), metric)
    return TuningResult(
        loss=loss,
        study=study.name,
        point={"lr": 0.0123456, "lambda": 2.0},
        value=0.5123456,
        default_value=default,
        metric=metric,
        seeds=(7, 8),
        trials=5,
        diverged=2,
        pruned=1,
        space=study.space(),
        values=[None, None, None, 0.4, 0.5123456],
        curve=[None, None, None, 0.4, 0.5123456],
        config=study.default_run,
    )


@pytest.mark.parametrize(("default", "shown"), [(0.25, "0.25"), (0.0, "0"), (None, "–")])
def test_the_rows_of_a_search(default: float | None, shown: str) -> None:
    lr, lam, *rows = _pairs(tuned(default=default))
    assert (lr[0], lam) == ("lr", ("lambda", "2"))
    assert float(lr[1]) == pytest.approx(0.0123456, rel=0.01)
    assert rows == [
        ("best val_accuracy", "0.51235"),
        ("at the defaults", shown),
        ("trials", "5 (1 pruned, 2 diverged)"),
    ]


def test_the_figure_of_a_search_shows_the_losses_that_were_tuned_for_the_same_metric(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, shown = Store(tmp_path), []
    monkeypatch.setattr(
        figure_files, "compose_budget", lambda results: shown.extend(results) or (lambda figure: None)
    )
    for result in (tuned(), tuned("ring"), tuned("ring", "gap"), tuned("git", "gap")):
        write_result(store, result)
    folder = tmp_path / "tuned" / "digits" / tuned().config.network
    (folder / "island.json").write_text("{")
    _show_study(Request("auto", None, None, LOCAL, {"epochs": (3,)}), tuned(), store, json=False)
    assert [(each.loss, each.metric) for each in shown] == [
        ("center", "val_accuracy"),
        ("ring", "val_accuracy"),
    ]
    printed = capsys.readouterr()
    assert printed.out.startswith("Center on digits, stride3\n")
    figure = tmp_path / "figures" / "budget-digits-stride3.png"
    warning, *places = printed.err.splitlines()
    assert warning.startswith(f"warning: {folder / 'island.json'} ")
    assert places == [f"Settings: {folder / 'center.json'}", f"Figure: {figure}"]
    document = json.loads(Path(f"{figure}.json").read_text())
    assert (document["kind"], document["title"]) == ("tune", "Digits, network stride3")
    _show_study(Request("auto", None, None, LOCAL, {"epochs": (3,)}), tuned(), store, json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["path"], found["figure"]) == (str(folder / "center.json"), str(figure))
    assert (found["seed"], found["settings"]["center.lambda"]) == (7, 2.0)


def test_the_figure_of_a_search_replaces_none_of_other_conditions(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figure_files, "compose_budget", lambda _: lambda figure: None)
    optimizer = {"config": make_config(loss="git", dataset="digits", optimizer="sgd")}
    names, choices = [], []
    for number, (loss, metric, other) in enumerate(
        [
            ("center", "val_accuracy", {}),
            ("center", "gap", {}),
            ("center", "val_accuracy", {"seeds": (8,)}),
            ("git", "val_accuracy", optimizer),
            ("ring", "val_accuracy", {}),
        ]
    ):
        monkeypatch.setattr("sys.argv", ["lossbench", "tune", str(number)])
        result = dataclasses.replace(tuned(loss, metric), **other)
        write_result(Store(tmp_path), result)
        _show_study(Request("auto", None, None, LOCAL, {}), result, Store(tmp_path), json=True)
        path = Path(json.loads(capsys.readouterr().out)["figure"])
        names.append(re.sub("-[0-9a-f]{8}", "-digest", path.stem.removeprefix("budget-digits-stride3")))
        choices.append(json.loads(Path(f"{path}.json").read_text())["files"][0]["choices"])
    assert names == ["", "-gap", "-digest", "-digest", ""]
    assert choices[:3] == ["by val accuracy · seeds 7, 8", "by gap · seeds 7, 8", "by val accuracy · seed 8"]
    assert choices[3] == "by val accuracy · seeds 7, 8 · optimizer SGD"
    assert len(list((tmp_path / "figures").glob("*.png"))) == 4


def test_the_list_of_reproductions(capsys: Capture) -> None:
    names = ("center-fig-3", "arcface-fig-4b")
    specs = {name: catalog.spec("reproductions", name) for name in names}
    reproduce._print_list(specs, {"center-fig-3": "refuted", "arcface-fig-4b": ""})
    assert rows_of(capsys) == [
        ["name", "what", "runs", "verdict"],
        ["center-fig-3", specs["center-fig-3"].title, "32", "refuted"],
        ["arcface-fig-4b", specs["arcface-fig-4b"].title, "0", "–"],
    ]


@pytest.mark.parametrize(("width", "files"), [(200, []), (100, ["-against.csv"]), (60, [".csv"])])
def test_a_comparison_says_what_its_tables_leave_out_and_that_seeds_are_few(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, width: int, files: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(_publish, "draw_figures", lambda *_: ([], []))
    groups = {
        loss: [outcome(loss, seed, 0.9 + seed / 100 + step) for seed in (0, 1)]
        for loss, step in (("softmax", 0.0), ("center", 0.01))
    }
    store = Store(tmp_path)
    made = report_comparison(store, groups, baseline="softmax", metrics=["test_accuracy"], command="c")
    _publish.publish(made, json=False)
    shown = capsys.readouterr()
    assert shown.out.count("Against Softmax by test accuracy, paired by seed\n") == 1
    assert not shown.out.startswith("Digits: ")  # the title of the first table is the command itself
    assert "With so few seeds no verdict is possible here" in shown.err
    places = [line.partition(". ")[2] for line in shown.err.splitlines() if line.startswith("Left out")]
    name = store.tables / "compare-softmax-center-digits"
    assert places == [f"{name}{end} has all." for end in files]
    assert shown.err.splitlines()[-1] == f"Tables: {store.tables}"
