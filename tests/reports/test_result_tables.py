"""Tables and files of a comparison, from hand-made results."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lossbench.experiments.comparison import compare_losses
from lossbench.experiments.summary import summarize
from lossbench.files import to_json
from lossbench.reports.conditions_text import conditions
from lossbench.reports.document import Document, comparison_title
from lossbench.reports.result_tables import (
    differences_caption,
    differences_csv,
    differences_table,
    markdown,
    mixed_distances,
    no_verdict,
    results_csv,
    results_table,
    short_title,
    write_tables,
)
from lossbench.reports.results_page import write_readme
from lossbench.runs.config_builder import make_config
from lossbench.runs.outcome import Outcome
from lossbench.runs.result import Machine, RunResult, Status
from lossbench.runs.store import Store
from lossbench.specs.quantities import format_value

MACHINE = Machine("cpu", "A Processor", 2, "2.6", "3.12", "Linux")
STEPS = [0.020, 0.021, 0.022, 0.023, 0.024, 0.025, 0.026, 0.027]


def outcome(loss: str, seed: int, accuracy: float | None, dataset: str = "digits", **more: Any) -> Outcome:
    """A run as training stores it; failed without an accuracy."""
    options = {key: more.pop(key) for key in ("unseen", "lam", "epochs") if key in more}
    config = dataclasses.replace(make_config(loss=loss, dataset=dataset, **options), seed=seed)
    if accuracy is None:
        return Outcome(config, Status.FAILED, None, "out of memory")
    result = RunResult(
        run=config.run_name,
        status=Status.DONE,
        seconds=12.0 + seed,
        images_per_second=15234.6,
        parameters=116738,
        precision="float32",
        finished=f"2026-01-{10 + seed:02}T10:00:00+00:00",
        lossbench="0.1.0",
        machine=MACHINE,
        test_accuracy=accuracy,
        metrics={"nn-accuracy": accuracy - 0.1, "gap": 10 * accuracy, **more.pop("metrics", {})},
    )
    return Outcome(config, Status.DONE, dataclasses.replace(result, **more))


def document(groups: dict[str, list[Outcome]], metrics: Sequence[str] = ("test_accuracy",)) -> Document:
    every = [outcome for outcomes in groups.values() for outcome in outcomes]
    datasets = list(dict.fromkeys(outcome.config.dataset for outcome in every))
    return Document(
        kind="compare",
        title="Digits: a | b",
        command="lossbench compare --losses `x`",
        conditions=conditions(every),
        metrics=metrics,
        settings=summarize(every),
        against=compare_losses(groups, next(iter(groups)), metrics, datasets),
    )


def usual(**more: Any) -> dict[str, list[Outcome]]:
    return {
        "softmax": [outcome("softmax", seed, 0.9, **more) for seed in range(8)],
        "center": [outcome("center", seed, 0.9 + step, **more) for seed, step in enumerate(STEPS)],
    }


def parsed(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_columns_of_the_comparison() -> None:
    table = results_table(document(usual()).settings)
    assert table.header == ["loss", "settings", "runs", "test (%)", "val (%)", "1-NN accuracy (%)", "seconds"]
    assert [row[:4] for row in table.rows] == [
        ["Softmax", "", "8", "90.00 ± 0.00"],
        ["Center", "λ = 0.003, α = 0.5", "8", "92.35 ± 0.20"],
    ]
    assert [row[4] for row in table.rows] == ["–", "–"]


def test_numbers_of_unseen_classes_are_left_out_last() -> None:
    optional = results_table(document(usual()).settings).optional
    of_unseen = [title.startswith("unseen ") for title in optional]
    assert any(of_unseen) and of_unseen == sorted(of_unseen)


def test_metrics_asked_for_stand_before_the_time_and_only_once() -> None:
    header = results_table(document(usual()).settings, ("gap", "test_accuracy", "images_per_second")).header
    assert header[3:] == ["test (%)", "val (%)", "1-NN accuracy (%)", "gap", "images/s", "seconds"]


def test_a_swept_option_of_the_run_tells_the_rows_apart() -> None:
    rows = summarize([outcome("softmax", 0, 0.9, epochs=epochs) for epochs in (2, 4)], ["epochs"])
    assert [row[1] for row in results_table(rows).rows] == ["epochs = 2", "epochs = 4"]
    rows = summarize([outcome("center", 0, 0.9, lam=lam) for lam in (0.1, 0.2)], ["lambda"])
    assert [row[1] for row in results_table(rows).rows] == ["λ = 0.1, α = 0.5", "λ = 0.2, α = 0.5"]


def test_several_data_sets_rules_and_failures_get_a_column() -> None:
    groups = {
        "softmax": [outcome("softmax", 0, 0.9), outcome("softmax", 0, 0.8, "kmnist")],
        "triplet": [outcome("triplet", 0, 0.9), outcome("triplet", 0, None, "kmnist")],
    }
    table = results_table(document(groups).settings)
    assert table.header[0] == "data"
    assert table.header[-2:] == ["rule", "diverged / failed"]
    assert [row[0] for row in table.rows] == ["Digits", "KMNIST", "Digits", "KMNIST"]
    assert [row[-1] for row in table.rows] == ["0 / 0", "0 / 0", "0 / 0", "0 / 1"]
    lines = parsed(results_csv(document(groups).settings))
    assert [line["dataset"] for line in lines] == ["digits", "kmnist", "digits", "kmnist"]
    assert "dataset" not in parsed(results_csv(document(usual()).settings))[0]


def test_the_csv_parses_back_to_the_same_numbers() -> None:
    made = document({**usual(), "arcface": [outcome("arcface", 0, None)]})
    for line, row in zip(parsed(results_csv(made.settings)), made.settings, strict=True):
        assert (line["loss"], int(line["done"]), int(line["failed"])) == (
            row.title,
            row.done,
            row.failed,
        )
        for name, interval in row.metrics.items():
            for column, value in ((name, interval.mean), (f"{name}_half_width", interval.half_width)):
                assert (float(line[column]) == value) if line[column] else math.isnan(value)
            assert int(line[f"{name}_count"]) == interval.n


def test_the_paired_csv_holds_every_difference() -> None:
    made = document(usual(), ("test_accuracy", "gap"))
    lines = parsed(differences_csv(made.against))
    assert [line["metric"] for line in lines] == ["test_accuracy", "gap"]
    for line, entry in zip(lines, made.against, strict=True):
        assert tuple(map(float, line["differences"].split())) == entry.paired.differences
        assert float(line["p_holm"]) == entry.p_holm
        assert float(line["half_width"]) == entry.paired.difference.half_width
        assert (line["baseline"], line["loss"], line["seeds"]) == ("Softmax", "Center", "8")
        assert (line["failed"], line["unpaired"], line["verdict"]) == ("0", "0", "better")


def test_the_paired_table_in_percentage_points_and_in_units() -> None:
    one = differences_table(document(usual()).against)
    assert one.header[:4] == ["loss", "settings", "seeds", "difference"]
    assert one.rows[0][2:6] == ["8", "+2.35 ± 0.20", "0.008", "0.008"]
    assert one.rows[0][-2:] == ["better", "6"]
    two = differences_table(document(usual(), ("gap", "seconds")).against)
    assert two.header[0] == "metric"
    assert [row[0] for row in two.rows] == ["gap", "seconds"]
    assert [row[4] for row in two.rows] == ["+0.235 ± 0.020", "+0.0 ± 0.0"]


def test_a_sentence_says_where_the_seeds_are_too_few_for_a_verdict() -> None:
    few = {loss: outcomes[:5] for loss, outcomes in usual().items()}
    assert no_verdict(document(usual()).against) == ""
    assert no_verdict(document(few).against).endswith("the smallest p of 5 seeds is 0.062.")
    several = no_verdict(document(few, ("test_accuracy", "gap")).against)
    assert several.endswith("the smallest p of 5 seeds is 0.062, and Holm's adjustment multiplies it by 2.")
    assert markdown(document(few)).count("no verdict is possible") == 1


def test_a_long_title_is_cut_and_unseen_classes_are_named() -> None:
    assert short_title("MNIST: a · b · c · d · e · f · g") == "MNIST: a · b · c and 4 more"
    assert comparison_title([make_config(dataset="digits", unseen=(8, 9))]) == "Digits without 8, 9: Softmax"


def test_the_title_names_the_metric_where_no_column_does() -> None:
    assert (
        differences_caption(document(usual()).against) == "Against Softmax by test accuracy, paired by seed"
    )
    assert (
        differences_caption(document(usual(), ("gap",)).against) == "Against Softmax by gap, paired by seed"
    )
    assert (
        differences_caption(document(usual(), ("gap", "seconds")).against)
        == "Against Softmax, paired by seed"
    )


def test_a_baseline_of_the_same_loss_is_named_with_its_settings() -> None:
    groups = {
        name: [outcome("center", seed, 0.9 + lam / 10 + seed / 100, lam=lam) for seed in range(3)]
        for name, lam in (("a", 0.1), ("b", 0.2))
    }
    made = document(groups)
    assert "Center (λ = 0.1)" in differences_caption(made.against)
    assert parsed(differences_csv(made.against))[0]["baseline"] == "Center (λ = 0.1)"


def test_failures_and_missing_partners_are_said() -> None:
    groups = usual()
    groups["center"][1] = outcome("center", 1, None)
    groups["softmax"][2] = outcome("softmax", 2, None)
    made = document(groups)
    assert differences_table(made.against).rows[0][2] == "6 of 8 (1 failed)"
    (line,) = parsed(differences_csv(made.against))
    assert (line["seeds"], line["unpaired"], line["failed"]) == ("6", "2", "1")
    (entry,) = made.to_dict()["against"]
    assert (entry["n"], entry["unpaired"], entry["failed"]) == (6, 2, 1)


@pytest.mark.parametrize("seeds", [0, 1])
def test_what_is_not_defined_is_a_dash_an_empty_cell_or_null(seeds: int, tmp_path: Path) -> None:
    """With a single pair there is no interval and no test; with none there is nothing."""
    groups = usual()
    groups["center"][seeds:] = [outcome("center", seed, None) for seed in range(seeds, 8)]
    made = document(groups)
    row = differences_table(made.against).rows[0]
    assert row[4:6] == ["–", "–"]
    assert row[7:] == ["–", "–"]
    (line,) = parsed(differences_csv(made.against))
    assert {line[name] for name in ("p", "p_holm", "half_width", "verdict", "seeds_needed")} == {""}
    write_tables(Store(tmp_path), "compare", made)
    read = json.loads((tmp_path / "tables/compare.json").read_text(), parse_constant=pytest.fail)
    assert read["against"][0]["p"] is None
    assert read["against"][0]["difference"]["half_width"] is None
    assert len(read["against"][0]["differences"]) == seeds
    assert read["settings"][1]["done"] == seeds


def test_every_file_is_written_and_the_json_is_both_tables(tmp_path: Path) -> None:
    made = document(usual())
    write_tables(Store(tmp_path), "compare-x", made)
    write_readme(Store(tmp_path))
    names = {path.name for path in (tmp_path / "tables").iterdir()}
    assert names == {f"compare-x{end}" for end in (".csv", ".md", ".tex", ".json", "-against.csv")}
    read = json.loads((tmp_path / "tables/compare-x.json").read_text())
    digests = read.pop("digests")
    assert digests.keys() == names - {"compare-x.json"}
    assert read == json.loads(to_json(made.to_dict()))  # as --json prints it
    assert [setting["loss"] for setting in read["settings"]] == ["softmax", "center"]
    (entry,) = read["against"]
    assert (entry["baseline"], entry["loss"], entry["verdict"]) == ("softmax", "center", "better")
    assert entry["differences"] == list(made.against[0].paired.differences)
    text = (tmp_path / "tables/compare-x.md").read_text()
    assert "by Holm over all comparisons here (1)" in text
    assert "with 80 % power at a level of 5 % / 1." in text
    assert text.endswith("`` lossbench compare --losses `x` ``\n")
    latex = (tmp_path / "tables/compare-x.tex").read_text()
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 2
    assert r"\caption{Digits: a $|$ b. " in latex
    assert text.strip() in (tmp_path / "README.md").read_text()


def test_without_a_comparison_there_is_one_table(tmp_path: Path) -> None:
    write_tables(Store(tmp_path), "compare-x", dataclasses.replace(document(usual()), against=()))
    assert not (tmp_path / "tables/compare-x-against.csv").exists()
    assert (tmp_path / "tables/compare-x.tex").read_text().count("tabular}") == 2
    assert "Holm" not in (tmp_path / "tables/compare-x.md").read_text()


def test_conditions_in_a_sentence() -> None:
    stated = document(usual()).conditions
    assert stated.startswith(
        "Digits with 180 validation images held out of training; network stride3 (116,738 "
    )
    assert "; seeds 0-7. Training split: images changed by shift. Intervals are 95 %" in stated
    assert "float32 on A Processor, 2 threads per run; torch 2.6, Python 3.12, lossbench 0.1.0" in stated
    assert stated.endswith("; 2026-01-10 to 2026-01-17.")
    assert "kept out" not in stated
    apart = document(usual(unseen="8,9")).conditions
    assert "Classes 8, 9 are kept out of training." in apart


def test_conditions_say_what_changed_the_training_split() -> None:
    options: dict[str, Any] = {"train_size": 500, "imbalance": 10, "label_noise": 0.2}
    made = outcome("softmax", 0, 0.9, machine=MACHINE._replace(threads=1))

    def stated(**more: Any) -> str:
        return conditions([made._replace(config=make_config(dataset="digits", epochs=1, **more)), made])

    changed = stated(augment="none", noise_kind="pair", **options)
    assert (
        "Training split: 500 images, imbalance 10, 20% pair label noise; images changed by shift. " in changed
    )
    assert f"; 1, {made.config.epochs} epochs, batch " in changed and ", 1 thread per run;" in changed
    assert "Training split: images changed by shift and rotate; images changed by shift. " in stated(
        augment="shift,rotate"
    )
    alone = conditions([made._replace(config=make_config(dataset="digits", epochs=1, augment="none"))])
    assert "Training split" not in alone and "; 1 epoch, batch " in alone


def test_conditions_say_where_losses_are_not_treated_alike() -> None:
    numbers = dict.fromkeys(("map-at-r", "roc-auc", "nn-accuracy"), 0.9)
    made = {
        loss: outcome(loss, 0, 0.9, metrics=numbers) for loss in ("softmax", "center", "arcface", "n-pair")
    }

    def stated(losses: str, *shown: str) -> list[str]:
        sentences = conditions([made[loss] for loss in losses.split()], shown).split(". ")
        return [each for each in sentences if " under " in each]

    by = "In MAP@R and ROC AUC, features are compared by cosine under ArcFace; by Euclidean distance under the others"
    assert stated("softmax center arcface", "test_accuracy", "map-at-r", "roc-auc") == [by]
    assert stated("softmax center arcface", "nn-accuracy", "eer") == []  # nobody measured the EER
    assert stated("softmax center", "map-at-r") == stated("arcface", "map-at-r") == []
    assert stated("softmax center n-pair", "map-at-r") == [
        "Batches are class-balanced under N-pair; shuffled under the others",
        "Accuracy is by nearest class mean under N-pair; by class scores under the others",
    ]
    unseen = [outcome(loss, 0, 0.9, unseen="8,9") for loss in ("softmax", "arcface")]
    results = [dataclasses.replace(each.result, unseen={"eer": 0.1}) for each in unseen if each.result]
    unseen = [each._replace(result=result) for each, result in zip(unseen, results, strict=True)]
    by = "In unseen equal error rate, features are compared by Euclidean distance under Softmax; by cosine under ArcFace. "
    assert by in conditions(unseen, ["unseen-eer"])


def test_conditions_name_every_data_set() -> None:
    made = [outcome("softmax", 0, 0.9), outcome("softmax", 0, 0.8, "kmnist")]
    stated = conditions(made)
    assert stated.startswith("Digits with 180, KMNIST with 5,000 validation images held out of training; ")


def test_values_have_the_digits_of_their_unit() -> None:
    assert format_value("test_accuracy", 0.98765) == "98.77"
    assert format_value("seconds", 12.34) == "12.3"
    assert format_value("images_per_second", 15234.6) == "15235"
    assert format_value("gap", 1.23456) == "1.235"
    assert format_value("gap", 2.0, 1.0) == "2.000 ± 1.000"
    assert format_value("gap", 1.0, 2.0) == "1.000 [0.000, 3.000]"
    assert format_value("gap", 1.0, 2.0, signed=True) == "+1.000 ± 2.000"
    assert format_value("seconds", 1.0, 2.0) == "1.0 [0.0, 3.0]"
    assert format_value("silhouette", 0.1, 0.2) == "0.100 ± 0.200"
    assert format_value("test_accuracy", 0.9, 0.1) == "90.00 ± 10.00"
    assert format_value("test_accuracy", 0.9667, 0.2118) == "96.67 [75.49, 100.00]"
    assert format_value("unseen-eer", 0.01, 0.02) == "0.010 [0.000, 0.030]"
    assert format_value("test_accuracy", 0.2, 0.3, signed=True) == "+20.00 ± 30.00"
    assert format_value("test_accuracy", -0.2, 0.9, signed=True) == "−20.00 [−100.00, +70.00]"
    assert format_value("unseen-eer", math.nan) == "–"


def test_a_verdict_by_two_distances_says_so() -> None:
    stored = Path(__file__).parents[2] / "results/published/tables/compare-softmax-center-arcface-mnist.json"
    read = Document.from_dict(json.loads(stored.read_text(encoding="utf-8")))
    assert mixed_distances(read).startswith(" ROC AUC: by cosine for some of these losses")
    more = [*read.against, read.against[0]._replace(metric="eer")]
    assert mixed_distances(dataclasses.replace(read, against=more)).startswith(
        " ROC AUC, equal error rate: by cosine"
    )
    same = [row for row in read.settings if row.loss != "arcface"]
    assert mixed_distances(dataclasses.replace(read, settings=same)) == ""
    accuracy = [row for row in read.against if row.metric == "test_accuracy"]
    assert mixed_distances(dataclasses.replace(read, against=accuracy)) == ""
