"""What holds for every reproduction of the catalogue: its runs can be made and its rules are about them."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from lossbench.__main__ import main
from lossbench.cli import reproduce
from lossbench.errors import UsageError
from lossbench.reports.reproduction_page import ReproductionDocument, describe
from lossbench.reproductions import Check, CheckResult, Reproduction, Results
from lossbench.reproductions._checks import OWN_NUMBERS
from lossbench.reproductions._results import collect_results
from lossbench.runs import stored_run
from lossbench.runs.outcome import Outcome
from lossbench.runs.result import RunResult, Status
from lossbench.runs.store import Store
from lossbench.runs.stored_run import StoredRun, UntrainedRun
from lossbench.specs import catalog
from lossbench.specs.quantities import RUN_NUMBERS, UNSEEN

from ..helpers.pages import ROOT

NAMES = catalog.names("reproductions")


def spec_of(name: str) -> Reproduction:
    spec = catalog.spec("reproductions", name)
    assert isinstance(spec, Reproduction)
    return spec


@pytest.mark.parametrize("name", NAMES)
def test_the_runs_of_a_reproduction_can_be_made(name):
    spec = spec_of(name)
    for quick in (False, True):
        for group, configs in spec.configs(quick=quick).items():
            assert len({config.id for config in configs}) == len(configs), group
    assert spec.seeds >= 20 or spec.fewer_seeds
    assert all(config.dataset == "digits" for each in spec.configs(quick=True).values() for config in each)


@pytest.mark.parametrize("name", NAMES)
def test_groups_differ(name):
    first = [configs[0].id for configs in spec_of(name).configs().values()]
    assert len(set(first)) == len(first)


@pytest.mark.parametrize("name", NAMES)
def test_rules_and_figures_speak_of_what_there_is(name):
    spec = spec_of(name)
    assert spec.checks and all(check.rule for check in spec.checks)
    for check in spec.checks:
        assert set(check.groups) <= set(spec.runs), check.rule
        for number in check.numbers:
            plain = number.removeprefix(UNSEEN)
            assert plain in {*OWN_NUMBERS, *RUN_NUMBERS, *catalog.names("metrics")}, check.rule
            if number.startswith(UNSEEN):
                assert all(spec.configs()[group][0].unseen for group in check.groups)
    assert {number.removeprefix(UNSEEN) for number in spec.metrics} <= set(catalog.names("metrics"))
    for drawn in spec.figures:
        choices = catalog.spec("figures", drawn.figure).choices
        assert set(drawn.choices) <= set(choices), drawn.figure
        assert set(drawn.groups) <= set(spec.runs)
    files = [(drawn.figure, drawn.choices.get("view")) for drawn in spec.figures]
    assert len(set(files)) == len(files)  # each has a file of its own


@pytest.mark.parametrize("name", NAMES)
def test_groups_have_the_values_that_their_names_say(name):
    spec = spec_of(name)
    unit = float(spec.common.get("lambda", 1))  # of a weight that is a multiple of lambda
    for group, settings in spec.runs.items():
        values = [value for value in settings.values() if isinstance(value, int | float)]
        for said in map(float, re.findall(r"= ([\d.]+)", group)):
            assert said in values or said in [pytest.approx(unit * value) for value in values], group


@pytest.mark.parametrize("name", NAMES)
def test_the_numbers_of_its_runs_are_told(name):
    """The page of a reproduction lists no options, so its texts say each number but 0, which is off."""
    spec = spec_of(name)
    told = " ".join((spec.question, spec.published, spec.recipe))
    for group, options in spec.runs.items():
        numbers = {float(each) for each in re.findall(r"\d+(?:\.\d+)?", f"{told} {group}")}
        numbers |= {float(each) / 100 for each in re.findall(r"([\d.]+) %", told)}
        for option, value in {**spec.common, **options}.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and value:
                assert abs(value) in numbers, (group, option)


SETTINGS = {
    "am-softmax-sphere": "dataset fashion-mnist, feature_dim 3, recipe fast: loss softmax | loss normface, "
    "scale 10.0 | loss sphereface, margin 4.0, lambda_min 0.5 | loss cosface, scale 10.0, margin 0.2 | "
    "loss cosface, scale 10.0, margin 0.5",
    "center-fig-2": "recipe center-paper, network compact: loss softmax | loss center, lambda 0.01",
    "center-fig-3": "loss center, recipe center-paper, network compact: lambda 0.001 | lambda 0.01 | "
    "lambda 0.1 | lambda 1.0",
    "claim-center-robust": "recipe fast: loss softmax | loss center, lambda 0.1 | loss softmax, "
    "feature_dim 16 | loss center, lambda 0.1, feature_dim 16",
    "claim-imbalance": "feature_dim 16, recipe fast: "
    + " | ".join(
        f"loss {loss}, imbalance {ratio}.0"
        for ratio in (10, 100)
        for loss in ("softmax", "range", "ldam", "logit-adjusted")
    ),
    "claim-label-noise": "label_noise 0.4, feature_dim 16, recipe fast, epochs 12: loss softmax | "
    "loss generalized-ce | loss arcface | loss subcenter-arcface, subcenters 3",
    "claim-losses-tie": "feature_dim 64, recipe fast, epochs 12: loss softmax | loss label-smoothing | "
    "loss focal | loss squared",
    "claim-open-set-accuracy": "loss softmax, unseen 7-9, feature_dim 16, recipe fast: "
    "epochs 1 | epochs 2 | epochs 4 | epochs 8",
    "claim-transfer": "unseen 5-9, feature_dim 32, recipe fast: loss softmax | loss label-smoothing | "
    "loss normface | loss squared",
    "cosface-bound": "loss cosface, recipe fast: "
    "margin 0.05 | margin 0.1 | margin 0.19 | margin 0.35 | margin 0.5",
    "neural-collapse": "loss softmax, feature_dim 16, recipe fast: "
    "epochs 2 | epochs 4 | epochs 8 | epochs 16",
    "sphereface-order": "loss sphereface, recipe fast: margin 1.0 | margin 2.0 | margin 3.0 | margin 4.0",
}
"""Of all groups alike, and of each, while no run is published whose name has them."""
CHOICES = {
    "arcface-fig-3 features-normalized": "view normalized, split train",
    "arcface-fig-4a curves": "over epochs, metric angular-spread,angular-gap",
    "arcface-fig-5 regions": "split train",
    "arcface-tab-3 ring": "of normalised softmax, ArcFace",
    "center-fig-2 features": "split train",
    "center-fig-3 lambda-grid": "split train",
    "center-fig-5a curves": "over lambda, metric test_accuracy,spread-gap",
    "center-fig-5b curves": "over alpha, metric test_accuracy,spread-gap",
    "claim-center-robust leaderboard": "metric robust-accuracy-pgd,robust-accuracy-square",
    "claim-length-quality leaderboard": "metric length-corruption",
    "claim-lgm-detects leaderboard": "metric fgsm-detection,robust-accuracy-fgsm",
    "claim-margins-open-set roc": "split unseen",
    "claim-negative-margin curves": "over margin, metric test_accuracy,unseen-map-at-r",
    "claim-open-set-accuracy curves": "over epochs, metric test_accuracy,open-set-auroc-logit,oscr",
    "claim-transfer leaderboard": "metric class-separation,unseen-recall-at-1",
    "cosface-bound curves": "over margin, metric test_accuracy,angular-gap",
    "cosface-fig-4 features-normalized": "view normalized, split train",
    "hadsell-digits features": "split train",
    "l-softmax-fig-2 lambda-grid": "split test",
    "l2-softmax-bound curves": "over scale, metric test_accuracy",
    "label-smoothing-projection features": "split train",
    "lgm-fig-1 features": "split train",
    "lgm-fig-1 attacked": "of α = 1",
    "neural-collapse curves": "over epochs, metric nc1,nc2-norms,nc2-angles",
    "normface-fig-2 regions": "of softmax",
    "reid-sum leaderboard": "metric map-at-r",
    "softmax-tutorial features": "of softmax",
    "softmax-tutorial distances-normalized": "view normalized",
    "softmax-tutorial ring": "of softmax",
    "sphereface-order curves": "over margin, metric test_accuracy,map-at-r",
}
"""What a figure shows where it is not what it shows by default; the page names no choices."""


def words(options: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in options.items())


@pytest.mark.parametrize("name", NAMES)
def test_settings_and_figures_are_those_written_here(name):
    spec = spec_of(name)
    settings = f"{words(spec.common)}: {' | '.join(map(words, spec.runs.values()))}"
    if name in SETTINGS:
        assert settings == SETTINGS[name]
    else:
        assert (ROOT / f"results/published/reproductions/{name}.json").exists()  # with the names of its runs
    for drawn in spec.figures:
        shown = words(drawn.choices) + (f"of {', '.join(drawn.groups)}" if drawn.groups else "")
        file = f"{drawn.figure}-{drawn.choices['view']}" if "view" in drawn.choices else drawn.figure
        assert shown == CHOICES.get(f"{name} {file}", ""), file


VALUES = (-1, 0, 0.1, 0.2, 0.5, 0.7, 0.8, 0.98, 0.99, 1, 1.4, 5, 10, 25, 35, 45, 100, 120, 200)


def made_up(check: Check, value: float, step: float, seeds: int) -> Results:
    """Numbers of seeds near a value, that rise or fall by `step` from group to group or number to number."""
    random = np.random.RandomState(0)
    noise = 1e-5 * random.randn(seeds)
    return {
        group: {
            seed: {
                number: value + step * (place + order) + noise[seed] * (1 + place + order)
                for order, number in enumerate(check.numbers)
            }
            for seed in range(seeds)
        }
        for place, group in enumerate(check.groups)
    }


@pytest.mark.parametrize("name", NAMES)
def test_each_rule_can_be_reproduced_and_refuted(name):
    """With the seeds of the entry, also where all its rules have a p value as large as this one's."""
    spec = spec_of(name)
    checks = [check for check in spec.checks if check.measure is not None and check.groups]
    for check in checks:
        found = [
            check.measure(made_up(check, value, step, spec.seeds))
            for value in VALUES
            for step in (-10, -0.1, 0, 0.1, 10)
        ]
        verdicts = {finding.decide(finding.p * len(checks)) for finding in found}  # Holm's largest factor
        assert {"reproduced", "refuted"} <= verdicts, check.rule


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_is_short_and_in_sentences(name):
    file = catalog._file("reproductions", name)
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 48
    spec = spec_of(name)
    assert spec.question.endswith("?")
    for field in dataclasses.fields(spec):
        if field.name in ("published", "recipe") or (field.name == "fewer_seeds" and spec.fewer_seeds):
            assert getattr(spec, field.name).endswith("."), field.name


def test_the_list_fits_eighty_columns(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["reproduce", "--results", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert all(len(line) <= 80 for line in out.splitlines())
    assert all(re.search(rf"│ {re.escape(name)} ", out) for name in NAMES)
    assert main(["reproduce", "--json", "--results", str(tmp_path)]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in listed] == list(NAMES)


def test_an_unknown_name_is_a_wrong_call(capsys, tmp_path):
    assert main(["reproduce", "center-fig-33", "--results", str(tmp_path)]) == 2
    assert "center-fig-3" in capsys.readouterr().err


def test_a_table_that_is_too_wide_names_the_page(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "70")
    spec, quick = spec_of("center-fig-3"), "a quick run decides nothing"
    checks = [
        CheckResult(check.rule, 0.123, -0.1, 0.2, 2, 0.75, "not testable here", quick)
        for check in spec.checks
    ]
    document = ReproductionDocument(
        about=describe("center-fig-3", spec),
        quick=True,
        verdict="not testable here",
        checks=checks,
        groups=[],
        conditions="",
        command="",
        runs=[],
    )
    for page, shown in ((Path("a.md"), " a.md has all.\nPage: a.md\n"), (None, "\n")):
        reproduce._print(Store(tmp_path), document, page)
        assert capsys.readouterr().err == f"Left out to fit the line: seeds.{shown}"


def test_a_quick_run_writes_all_and_decides_nothing(capsys, tmp_path):
    command = ["reproduce", "center-fig-3", "--quick", "--jobs", "1", "--results", str(tmp_path)]
    assert main(command) == 0
    captured = capsys.readouterr()
    assert "It decides nothing." in " ".join(captured.out.split())
    folder = tmp_path / "reproductions"
    places = [
        line.split(": ")[1] for line in captured.err.splitlines() if line.startswith(("Page", "Figure"))
    ]
    assert places == [str(folder / f"center-fig-3-quick{end}") for end in (".md", "-lambda-grid.png")]
    document = json.loads((folder / "center-fig-3-quick.json").read_text(encoding="utf-8"))
    assert document["quick"] and document["verdict"] == "not testable here"
    assert len(document["runs"]) == 8
    assert sum(group["done"] for group in document["groups"]) == 8
    assert not any(group["failed"] for group in document["groups"])
    store = Store(tmp_path)
    run = StoredRun(store.find(document["runs"][0]))
    results = collect_results({"group": [run.config]}, {run.config: run.outcome}, store)
    numbers = results["group"][run.config.seed]
    assert numbers["smallest_loss"] == min(record.loss for record in run.folder.epochs())
    assert numbers["train_accuracy"] == run.result.train_accuracy
    page = (folder / "center-fig-3-quick.md").read_text(encoding="utf-8")
    assert "decides nothing" in page
    assert [file["kind"] for file in document["files"]] == ["lambda-grid"]
    for file in document["files"]:
        assert (tmp_path / file["path"]).exists() and file["path"].rpartition("/")[2] in page
    assert main([*command, "--json"]) == 0  # again, from what is stored
    again = json.loads(capsys.readouterr().out)
    assert again["checks"] == document["checks"] and again["status"] == "done"
    assert not (folder / "center-fig-3.json").exists()
    (folder / "center-fig-3-quick.md").write_text("mine", encoding="utf-8")
    assert main(command) == 1
    assert (folder / "center-fig-3-quick.md").read_text(encoding="utf-8") == "mine"


def test_the_document_says_where_losses_are_compared_by_other_distances(tmp_path):
    name = "claim-arcface-discriminative"
    spec = spec_of(name)
    configs = spec.configs(quick=True)
    outcomes = [
        Outcome(
            config,
            Status.DONE,
            RunResult(
                run=config.run_name,
                status=Status.DONE,
                finished="2026-01-01T00:00:00+00:00",
                test_accuracy=0.9,
                metrics=dict.fromkeys(spec.metrics, 0.5),
            ),
        )
        for members in configs.values()
        for config in members
    ]
    case = reproduce._Case(name, spec, configs, quick=True)
    document, page, problems = reproduce._write_document(Store(tmp_path), case, outcomes[:-1], None)
    assert "In MAP@R, features are compared by Euclidean distance under Softmax; " in document.conditions
    assert [(row.done, row.failed) for row in document.groups] == [(2, 0), (2, 0), (2, 0), (1, 1)]
    assert document.runs == [each.config.run_name for each in outcomes[:-1]]
    assert page == tmp_path / "reproductions" / f"{name}-quick.md" and page.exists()
    assert len(problems) == 1 and not document.files  # the runs are not stored, so there is nothing to draw


@pytest.mark.parametrize(
    "name", ["arcface-fig-3", "normface-fig-2", "claim-margins-open-set", "arcface-fig-4b", "center-fig-5a"]
)
def test_the_figures_show_the_runs_that_the_published_ones_show(monkeypatch, tmp_path, name):
    """One seed of each group, or all of a figure that pools them; the named groups alone."""
    published = json.loads((ROOT / f"results/published/reproductions/{name}.json").read_text("utf-8"))
    monkeypatch.setattr(stored_run, "done_runs", lambda _, done: [UntrainedRun(each.config) for each in done])
    spec = spec_of(name)
    configs = spec.configs()
    case = reproduce._Case(name, spec, configs, quick=False)
    outcomes = {
        config: Outcome(config, Status.DONE, None) for members in configs.values() for config in members
    }
    drawings = list(reproduce._drawings(Store(tmp_path), case, outcomes))
    assert [(drawing.path.relative_to(tmp_path).as_posix(), drawing.kind) for drawing in drawings] == [
        (file["path"], file["kind"]) for file in published["files"]
    ]
    assert [drawing.choices for drawing in drawings] == [drawn.choices for drawn in spec.figures]
    for drawing, file in zip(drawings, published["files"], strict=True):
        shown = [(run.title, run.seed) for run in drawing.runs]
        if spec.trained:
            assert len(shown) == len(set(file["runs"]))
            assert sorted({seed for _, seed in shown}) == file["seeds"]
        else:
            assert [config.title for (config,) in configs.values()] == [title for title, _ in shown]


def test_the_smallest_loss_is_that_of_the_loss_itself(tmp_path):
    """In the soft start features have free lengths, and the modified softmax has a smaller loss."""
    store = Store(tmp_path)
    words = ["--dataset", "digits", "--epochs", "4", "--batch-size", "32", "--results", str(tmp_path)]
    assert main(["train", "--loss", "normface", "--scale", "1", *words]) == 0
    run = StoredRun(store.find("normface"))
    (numbers,) = collect_results({"": [run.config]}, {run.config: run.outcome}, store)[""].values()
    losses = [record.loss for record in run.folder.epochs()]  # 0.3 of four epochs, twice, end in the third
    assert min(losses) < numbers["smallest_loss"] == losses[3]


@pytest.mark.slow
def test_all_reproductions_run_quickly(capsys, tmp_path):
    assert main(["reproduce", "all", "--quick", "--json", "--results", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)["reproductions"]
    assert [each["name"] for each in found] == list(NAMES)
    for each in found:
        assert (tmp_path / "reproductions" / f"{each['name']}-quick.md").exists()


def test_a_stored_verdict_is_listed_and_a_damaged_file_is_none(capsys, tmp_path):
    folder = tmp_path / "reproductions"
    folder.mkdir()
    (folder / "center-fig-3.json").write_text('{"verdict": "refuted"}', encoding="utf-8")
    (folder / "center-fig-2.json").write_text('{"verdict": "ref', encoding="utf-8")
    assert main(["reproduce", "--json", "--results", str(tmp_path)]) == 0
    found = {each["name"]: each["verdict"] for each in json.loads(capsys.readouterr().out)}
    assert (found["center-fig-3"], found["center-fig-2"]) == ("refuted", None)


@pytest.mark.parametrize(("words", "jobs"), [([], 0), (["--jobs", "3"], 3)])
def test_as_many_runs_as_fit_train_at_a_time_unless_a_number_is_said(monkeypatch, tmp_path, words, jobs):
    asked = []

    def refuse(*_, jobs, **__):
        asked.append(jobs)
        raise UsageError("nothing is trained here")

    monkeypatch.setattr("lossbench.cli._training.run_configs", refuse)
    monkeypatch.setattr("lossbench.cli._benchmark.run_benchmark", refuse)
    for name in ("center-fig-3", "benchmark"):
        assert main(["reproduce", name, "--quick", *words, "--results", str(tmp_path)]) == 2
    assert asked == [jobs, jobs]


def test_all_numbers_of_its_rules_and_figures_are_measured_of_its_runs(monkeypatch, tmp_path):
    asked = []

    def refuse(configs, request, storage, *, jobs, metrics):
        asked.append((configs, metrics))
        raise UsageError("nothing is trained here")

    monkeypatch.setattr("lossbench.cli._training.run_configs", refuse)
    for name in ("claim-arcface-discriminative", "claim-margins-open-set"):
        spec = spec_of(name)
        assert main(["reproduce", name, "--results", str(tmp_path)]) == 2
        configs, metrics = asked.pop()
        expected = [config for members in spec.configs().values() for config in members]
        assert (configs, metrics) == (expected, {config: set(spec.metrics) for config in expected})
