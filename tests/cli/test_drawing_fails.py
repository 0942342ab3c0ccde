"""A figure that cannot be drawn: the tables are there, the other figures too, and one sentence says so."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lossbench.__main__ import main
from lossbench.cli import _publish
from lossbench.reports import figure_files

from ..helpers.users import as_ordinary_user

QUICK = ["--dataset", "digits", "--epochs", "1", "--batch-size", "256", "--device", "cpu"]
Capture = pytest.CaptureFixture[str]


def fail_for(monkeypatch: pytest.MonkeyPatch, part: str, error: BaseException) -> None:
    write = figure_files.write_generated

    def broken(path: Path, content: bytes) -> None:
        if part in path.name:
            raise error
        write(path, content)

    monkeypatch.setattr(figure_files, "write_generated", broken)


@pytest.mark.parametrize("json_only", [False, True])
def test_one_figure_of_two_fails(tmp_path: Path, capsys: Capture, monkeypatch: Any, json_only: bool) -> None:
    fail_for(monkeypatch, "center-digits.png", ValueError("no such font\nand more"))
    words = ["compare", "--losses", "softmax,center", "--seeds", "0-1", *QUICK, "--results", str(tmp_path)]
    assert main([*words, *(["--json"] if json_only else [])]) == 1
    said = capsys.readouterr()
    name = "compare-softmax-center-digits"
    sentence = f"{tmp_path / 'figures' / name}.png could not be drawn (ValueError: no such font)."
    assert said.err.splitlines()[-1] == f"lossbench: {sentence}"
    assert "Traceback" not in said.err
    files = json.loads((tmp_path / "tables" / f"{name}.json").read_text())["files"]
    assert [file["path"] for file in files] == [f"figures/{name}-forest.png"]
    assert f"{name}-forest.png" in (tmp_path / "README.md").read_text()
    if json_only:
        document = json.loads(said.out)
        assert document["figures"] == [str(tmp_path / "figures" / f"{name}-forest.png")]
        assert len(document["runs"]) == 4
    else:
        assert "Against Softmax" in said.out


def test_tables_are_printed_and_stored_before_anything_is_drawn(
    tmp_path: Path, capsys: Capture, monkeypatch: Any
) -> None:
    """Not even a process that dies while it draws takes them away."""

    class Died(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Died

    monkeypatch.setattr(figure_files, "draw", die)
    monkeypatch.setattr(figure_files, "write_figure", die)
    common = [*QUICK, "--results", str(tmp_path)]
    for words, name in (
        (["compare", "--losses", "softmax,center"], "compare-softmax-center-digits"),
        (["sweep", "--loss", "center", "--lambda", "0.1,1"], "sweep-center-lambda-digits"),
    ):
        with pytest.raises(Died):
            main([*words, *common])
        assert "Center" in capsys.readouterr().out
        assert {path.name for path in (tmp_path / "tables").glob(f"{name}*")} == {
            f"{name}{end}" for end in (".csv", ".md", ".tex", ".json")
        }


def test_a_study_is_shown_though_its_figure_fails(tmp_path: Path, capsys: Capture, monkeypatch: Any) -> None:
    fail_for(monkeypatch, "budget", RuntimeError())
    words = ["tune", "--loss", "softmax", "--trials", "1", "--seeds", "7", *QUICK[:4], "--device", "cpu"]
    assert main([*words, "--results", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "best val_accuracy" in said.out
    assert said.err.splitlines()[-1].endswith("budget-digits-stride3.png could not be drawn (RuntimeError).")


def test_a_picture_for_tensorboard_that_fails_takes_no_result_away(
    tmp_path: Path, capsys: Capture, monkeypatch: Any
) -> None:
    from lossbench.reports import tensorboard

    def broken(*_: object) -> None:
        raise RuntimeError("no such font\nThere are: none.")

    monkeypatch.setattr(tensorboard, "render_pixels", broken)
    common = ["--tensorboard", *QUICK, "--results", str(tmp_path)]
    for words, shown in (
        (["compare", "--losses", "softmax,center"], "Center"),
        (["train", "--loss", "ring"], "test accuracy"),
        (["train", "--loss", "ring"], "test accuracy"),  # stored now
        (["train", "--loss", "ring", "--json"], '"status": "done"'),
    ):
        assert main([*words, *common]) == 0
        said = capsys.readouterr()
        assert said.err.count("warning: ") == (2 if words[0] == "compare" else 1)
        assert "TensorBoard's files are incomplete (no such font)." in said.err
        assert shown in said.out


def test_a_table_that_cannot_be_written_is_printed(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "tables").touch()
    words = ["compare", "--losses", "softmax,center", "--seeds", "0", *QUICK, "--results", str(tmp_path)]
    assert main(words) == 1
    said = capsys.readouterr()
    assert "Center" in said.out
    assert said.err.splitlines()[-1].endswith("cannot be written: File exists.")
    assert not (tmp_path / "figures").exists()  # no document could list them
    assert main([*words, "--json"]) == 1
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 2


@pytest.mark.parametrize(("place", "code"), [("a reader that left", 141), ("/dev/full", 1)])
def test_what_cannot_be_printed_is_stored_and_drawn(
    tmp_path: Path, capsys: Capture, monkeypatch: Any, place: str, code: int
) -> None:
    if place == "/dev/full":
        if not Path(place).exists():
            pytest.skip("needs the device /dev/full")
        descriptor = os.open(place, os.O_WRONLY)
    else:
        reader, descriptor = os.pipe()
        os.close(reader)
    with os.fdopen(descriptor, "w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        words = ["compare", "--losses", "softmax,center", *QUICK, "--results", str(tmp_path)]
        assert main(words) == code
    said = capsys.readouterr().err
    name = "compare-softmax-center-digits"
    assert (tmp_path / "tables" / f"{name}.csv").exists() and (tmp_path / "figures" / f"{name}.png").exists()
    assert ("lossbench: " in said) == ("No space left" in said) == (code == 1)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may read; `tmp_path` is closed to them."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    shutil.rmtree(folder)


@pytest.mark.parametrize("metric", ["test_accuracy", "map-at-r"])  # the second is not measured in training
def test_stored_runs_are_compared_in_a_read_only_folder(
    open_folder: Path, capsys: Capture, metric: str
) -> None:
    results = ["--seeds", "0", *QUICK, "--results", str(open_folder / "results")]
    words = ["compare", "--losses", "softmax,center", *results]
    assert main([*words, "--quiet"]) == 0
    for path in (open_folder / "results", *(open_folder / "results").rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    for command in ([*words, "--metric", metric], ["sweep", "--loss", "center", *results]):
        capsys.readouterr()
        with as_ordinary_user():
            assert main(command) == 1
            said = capsys.readouterr()
            assert main([*command, "--json"]) == 1
            document = json.loads(capsys.readouterr().out)
        assert "Center" in said.out
        assert said.err.splitlines()[-1].endswith("cannot be written: Permission denied.")
        assert "Tables:" not in said.err
        assert {run["status"] for run in document["runs"]} == {"done"}
    with as_ordinary_user():
        assert main([*words, "--seeds", "1"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].endswith("is not writable: Permission denied.")


def test_no_page_is_named_that_was_not_written(open_folder: Path, capsys: Capture, monkeypatch: Any) -> None:
    """Nor a table that would have what is left out of the one on a narrow terminal."""
    monkeypatch.setenv("COLUMNS", "60")
    words = ["reproduce", "arcface-fig-4b", "--results", str(open_folder)]
    assert main(words) == 0
    assert f"Page: {open_folder / 'reproductions' / 'arcface-fig-4b.md'}\n" in capsys.readouterr().err
    shutil.rmtree(open_folder / "reproductions")
    open_folder.chmod(0o555)
    with as_ordinary_user():
        assert main(words) == 1
    said = capsys.readouterr()
    assert "Verdict: " in said.out
    assert said.err.splitlines()[-1].endswith("cannot be written: Permission denied.")
    assert not {"Page:", "Figure:", "has all."} & {word for word in said.err.split() if word.endswith(":")}
    assert "has all." not in said.err


@pytest.mark.parametrize("deleted", ["softmax-*", "*"])
def test_runs_that_are_deleted_before_they_are_drawn(
    tmp_path: Path, capsys: Capture, monkeypatch: Any, deleted: str
) -> None:
    show = _publish.print_table

    def delete_after(*arguments: Any) -> None:
        show(*arguments)
        for path in (tmp_path / "runs").glob(deleted):
            shutil.rmtree(path)

    monkeypatch.setattr(_publish, "print_table", delete_after)
    words = ["compare", "--losses", "softmax,center", "--seeds", "0", *QUICK, "--results", str(tmp_path)]
    assert main(words) == 1
    said = capsys.readouterr()
    assert "Center" in said.out
    assert said.err.splitlines()[-2] == f"Tables: {tmp_path / 'tables'}"
    assert said.err.splitlines()[-1].endswith("has no features to draw: it is not complete.")
