"""Documents: the same data back from JSON, those of the first format, and the files they list."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import shutil
from pathlib import Path

import pytest

from lossbench.errors import RunError
from lossbench.files import to_json
from lossbench.reports.conditions_text import join_distinct
from lossbench.reports.document import Document, WrittenFile, read_documents, record_figure, written_file
from lossbench.reports.result_tables import (
    differences_csv,
    differences_table,
    latex,
    markdown,
    results_csv,
    results_table,
    write_tables,
)
from lossbench.runs.config_builder import make_config
from lossbench.runs.store import Store
from lossbench.runs.stored_run import UntrainedRun

from .test_result_tables import document, outcome, usual

FORMAT_1 = Path(__file__).parent.parent / "formats" / "1" / "tables"
NAME = "compare-softmax-center-digits"


def through_json(made: Document) -> Document:
    return Document.from_dict(json.loads(to_json(made.to_dict()), parse_constant=pytest.fail))


def test_a_document_is_the_same_after_json(tmp_path: Path) -> None:
    groups = {**usual(), "arcface": [outcome("arcface", seed, None) for seed in range(8)]}
    made = document(groups, ("gap", "test_accuracy", "ece"))
    files = [written_file(Store(tmp_path), tmp_path / "figures/a.png", "roc", [])]
    data = [{"run": "center-1", "curve": [0.5, 1.0]}]
    read = through_json(Document(**{**vars(made), "files": files, "data": data}))
    assert (read.files, read.data) == (files, data)
    for name in ("kind", "title", "command", "conditions", "metrics"):
        assert list(getattr(read, name)) == list(getattr(made, name)), name
    assert read.to_dict() | {"files": []} == through_json(read).to_dict() | {"files": []}
    assert results_table(read.settings, read.metrics) == results_table(made.settings, made.metrics)
    assert differences_table(read.against) == differences_table(made.against)
    assert results_csv(read.settings) == results_csv(made.settings)
    assert differences_csv(read.against) == differences_csv(made.against)
    assert [row.runs for row in read.settings] == [row.runs for row in made.settings]
    assert math.isnan(read.against[-1].p_holm)
    for row, outcomes in zip(read.settings, groups.values(), strict=True):
        assert row.by_seed == {each.config.seed: each.numbers for each in outcomes}
    assert read.settings[-1].by_seed == {seed: {} for seed in range(8)}  # all failed


def cells_of(tables: str) -> set[str]:
    """The cells of LaTeX tables, wherever a formula begins in them."""
    rows = re.findall(r"^ *(.*) \\\\$", tables, re.MULTILINE)
    return {cell.strip().replace("$", "") for row in rows for cell in row.split("&")}


def means(text: str) -> str:
    """Tables with means alone: their intervals went beyond what a number can be. The CSV files have all."""
    return re.sub(r" (±|\$\\pm\$) [\d.]+| (\[|\{\[\})[\d.]+, [\d.]+\]", "", text)


def test_documents_of_the_first_format_give_the_tables_that_were_written_beside_them(tmp_path: Path) -> None:
    shutil.copytree(FORMAT_1, tmp_path / "tables")
    (read,) = read_documents(Store(tmp_path)).values()
    then = (FORMAT_1 / f"{NAME}.md").read_text()
    legend = re.compile("^Differences are loss minus baseline at the same seed .*", re.MULTILINE)
    assert len(legend.findall(then)) == 1  # its words have changed
    assert means(legend.sub("", markdown(read))) == means(legend.sub("", then))
    # LaTeX tables were wider then, with another caption: their cells are the same
    assert cells_of(means(latex(read, NAME))) == cells_of(means((FORMAT_1 / f"{NAME}.tex").read_text()))
    assert results_csv(read.settings) == (FORMAT_1 / f"{NAME}.csv").read_bytes()
    assert differences_csv(read.against) == (FORMAT_1 / f"{NAME}-against.csv").read_bytes()


def test_a_loss_that_this_version_does_not_have_is_shown_by_its_short_name() -> None:
    data = json.loads((FORMAT_1 / f"{NAME}.json").read_text())
    for row in (data["settings"][1], data["against"][0]):
        row["loss"] = "lost"
    data["settings"][1]["config"]["terms"][1]["name"] = "lost"
    read = Document.from_dict(data)
    assert [row.title for row in read.settings] == ["Softmax", "lost"]
    assert [row.title for row in read.against][:1] == ["lost"]


@pytest.mark.parametrize("text", ["[]", "{}", '{"settings": []}', "3"])
def test_json_that_no_command_wrote_is_passed_over(tmp_path: Path, text: str) -> None:
    store = Store(tmp_path)
    write_tables(store, "compare-a", document(usual()))
    (store.tables / "notes.json").write_text(text)
    assert list(read_documents(store)) == ["compare-a"]


@pytest.mark.parametrize("key", ["settings", "against", "files", "title", "conditions"])
def test_a_document_without_a_key_is_damaged(tmp_path: Path, key: str) -> None:
    store = Store(tmp_path)
    write_tables(store, "compare-a", document(usual()))
    path = store.tables / "compare-a.json"
    data = json.loads(path.read_text())
    for wrong in ({**data, key: 1}, {name: value for name, value in data.items() if name != key}):
        if key in wrong and key in ("title", "conditions"):
            continue
        path.write_text(json.dumps(wrong))
        with pytest.raises(RunError, match=r"compare-a\.json was changed by hand"):
            read_documents(store)


@pytest.mark.parametrize("path", ["/etc/passwd", "../secret.png", "figures/../../secret.png"])
def test_a_document_cannot_show_files_outside_the_results_folder(tmp_path: Path, path: str) -> None:
    store = Store(tmp_path)
    made = dataclasses.replace(document(usual()), files=[WrittenFile(path, "roc", "a file of another")])
    write_tables(store, "compare-a", made)
    with pytest.raises(RunError, match="is not in the results folder"):
        read_documents(store)


def test_a_figure_drawn_alone_has_a_document_that_says_what_it_shows(tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    runs = [UntrainedRun(make_config(loss=loss, dataset="digits")) for loss in ("softmax", "arcface")]
    path = store.figures / "a.png"
    record_figure(store, path, "target-logits", runs, made_by="plot", command="lossbench plot target-logits")
    ((name, read),) = read_documents(store).items()
    assert (name, read.kind, read.title) == ("a.png", "plot", "Digits: Softmax · ArcFace")
    (file,) = read.files
    assert (file.path, file.kind) == ("figures/a.png", "target-logits")
    assert (file.seeds, file.runs) == ((), ()), "no run was trained for it"


def test_a_figure_outside_the_results_folder_is_not_recorded(tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    record_figure(
        store, tmp_path / "a.png", "roc", [], made_by="plot", command="lossbench plot roc", title="A"
    )
    assert not store.root.exists()


def test_distinct_values_in_a_sentence() -> None:
    assert join_distinct([2, 3, 2, 16, 64]) == "2, 3, 16, 64"
    assert join_distinct([2, 64, 3, 16, 4]) == "2 to 64"
    assert join_distinct([0.1, 0.00625, 0.05, 0.193000001, 1e-5]) == "1e-5 to 0.193"
    assert join_distinct([0.050000001, 0.1]) == "0.05, 0.1"
    assert join_distinct(["b", "a", "e", "d", "c"]) == "b ... c"
    assert join_distinct([52930]) == "52,930"
    assert join_distinct(["a", "b", "a"]) == "a, b"
