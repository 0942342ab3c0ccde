"""A figure that cannot be drawn: the tables are there, the other figures too, and one sentence says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lossbench.__main__ import main
from lossbench.reports import figure_files

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
        raise RuntimeError("no such font")

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
    assert main([*words, "--json"]) == 1
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 2
