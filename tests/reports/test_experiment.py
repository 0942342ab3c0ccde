"""Comparisons and sweeps of made-up results: what their documents say, and the names of their files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from lossbench.reports.experiment import report_comparison, report_sweep
from lossbench.runs.outcome import Outcome
from lossbench.runs.store import Store
from lossbench.specs import DatasetSpec, catalog, plugins

from .test_result_tables import outcome

NUMBERS = dict.fromkeys(("map-at-r", "roc-auc", "eer"), 0.9)


def both(seeds: int = 2, unseen: str = "") -> dict[str, list[Outcome]]:
    more = {"unseen": unseen} if unseen else {}
    return {
        loss: [outcome(loss, seed, 0.9, metrics=NUMBERS, **more) for seed in range(seeds)]
        for loss in ("softmax", "arcface")
    }


@pytest.mark.parametrize(("metrics", "named"), [(("map-at-r",), "MAP@R"), (("eer",), "equal error rate")])
def test_a_comparison_names_the_shown_numbers_that_compare_losses_differently(
    tmp_path: Path, metrics: tuple[str, ...], named: str
) -> None:
    made = report_comparison(Store(tmp_path), both(), baseline="softmax", metrics=metrics, command="c")
    assert (
        f"In {named}, features are compared by Euclidean distance under Softmax; " in made.document.conditions
    )
    groups = both(unseen="8,9")
    for group in groups.values():
        results = [dataclasses.replace(each.result, unseen=NUMBERS) for each in group if each.result]
        group[:] = [each._replace(result=result) for each, result in zip(group, results, strict=True)]
    made = report_comparison(Store(tmp_path), groups, baseline="softmax", metrics=metrics, command="c")
    columns = (
        "unseen MAP@R, unseen ROC AUC, unseen equal error rate"  # of every comparison with unseen classes
    )
    assert f"In {columns} and {named}, features are compared" in made.document.conditions


def test_a_comparison_says_how_settings_were_tuned_also_in_its_name(tmp_path: Path) -> None:
    def made(tuning: str) -> tuple[str, str]:
        comparison = report_comparison(
            Store(tmp_path), both(), baseline="softmax", metrics=(), command="c", tuning=tuning
        )
        return comparison.name, comparison.document.conditions

    name, conditions = made("")
    assert name == "compare-softmax-arcface-digits"
    assert made("Settings found.") == (f"{name}-tuned", f"{conditions} Settings found.")


def test_a_comparison_of_many_losses_has_their_number_in_its_name(tmp_path: Path) -> None:
    """Of all losses that alone; of some with a digest, so that as many others are another file."""

    def name(*losses: str) -> str:
        groups = {loss: [outcome(loss, 0, 0.9)] for loss in losses}
        return report_comparison(Store(tmp_path), groups, baseline=losses[0], metrics=(), command="c").name

    five = ("softmax", "center", "arcface", "cosface", "normface")
    assert name(*five) == "compare-softmax-center-arcface-cosface-normface-digits"
    six, others = name(*five, "ring"), name(*five, "git")
    assert six.startswith("compare-6-losses-") and six.endswith("-digits") and six != others
    every = catalog.names("losses")
    assert name(*every) == f"compare-{len(every)}-losses-digits"


def test_files_on_data_of_a_user_have_names_of_plain_letters(tmp_path: Path) -> None:
    like = {"samples": 99, "classes": ("a", "b"), "shape": (1, 8, 8), "mean": (0.0,), "deviation": (1.0,)}
    data = DatasetSpec.of_user("My Photos", "0" * 64, **like)
    plugins.remember_dataset(data)
    outcomes = [outcome("center", 0, 0.9, dataset=data.name)]
    groups = {"center": outcomes}
    compared = report_comparison(Store(tmp_path), groups, baseline="center", metrics=(), command="c")
    swept = report_sweep(Store(tmp_path), outcomes, {}, command="c")
    assert [compared.name, swept.name] == [
        f"{kind}-center-my-photos-0000000000" for kind in ("compare", "sweep")
    ]
    other = DatasetSpec.of_user("My Photos", "1" * 64, **like)  # a folder of the same name elsewhere
    plugins.remember_dataset(other)
    groups = {"center": [*outcomes, outcome("center", 0, 0.9, dataset=other.name)]}
    made = report_comparison(Store(tmp_path), groups, baseline="center", metrics=(), command="c")
    assert [row[0] for row in made.table().rows] == [data.name, other.name]
    assert made.document.title == f"{data.name}, {other.name}: Center"
    assert f"{other.name} with 9 " in made.document.conditions


@pytest.mark.parametrize(("seeds", "losses", "paired"), [(1, 2, 0), (2, 2, 1), (2, 1, 0)])
def test_losses_are_paired_where_there_are_two_of_them_and_two_seeds(
    tmp_path: Path, seeds: int, losses: int, paired: int
) -> None:
    groups = dict(list(both(seeds).items())[:losses])
    made = report_comparison(
        Store(tmp_path), groups, baseline="softmax", metrics=("test_accuracy",), command="c"
    )
    assert len(made.rows) == paired


@pytest.mark.parametrize(
    ("values", "title", "name"),
    [
        ((0.1, 0.2), "Digits: Center over λ", "sweep-center-lambda-digits"),
        ((0.1,), "Digits: Center over seeds", "sweep-center-digits"),
    ],
)
def test_a_sweep_says_what_varies(tmp_path: Path, values: tuple[float, ...], title: str, name: str) -> None:
    outcomes = [outcome("center", seed, 0.9, lam=lam) for lam in values for seed in (0, 1)]
    made = report_sweep(Store(tmp_path), outcomes, {"lambda": values, "seed": (0, 1)}, command="c")
    assert (made.document.title, made.name) == (title, name)
    assert made.varied == ({"lambda": list(values)} if len(values) > 1 else {})
    assert [row.swept for row in made.document.settings] == [
        {"lambda": lam} for lam in values if made.varied
    ] or [{}]
