"""Paths of the user: `~`, names of files from names of losses."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import pytest

import lossbench
from lossbench.__main__ import main
from lossbench.cli import COMMANDS, Commands
from lossbench.data._splits import data_folder
from lossbench.errors import UsageError
from lossbench.files import slug

QUICK = ["--dataset", "digits", "--epochs", "1", "--batch-size", "256", "--device", "cpu"]


def path_options() -> list[tuple[str, Any]]:
    found = []
    for name in COMMANDS:
        command = Commands()[name]
        for each in (command, *getattr(command, "commands", {}).values()):
            options = [p for p in each.params if {"--results", "--output", "--data-dir"} & set(p.opts)]
            declared = inspect.signature(each.callback, eval_str=True).parameters if options else {}
            found += [(name, typing.get_args(declared[option.name].annotation)[1]) for option in options]
    return found


def test_every_option_with_a_path_expands_the_home_folder() -> None:
    assert len(path_options()) > 20
    for name, option in path_options():
        assert option.parser("~/x") == Path.home() / "x", (name, option.param_decls)


def test_the_data_folder_expands_it_too(monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOSSBENCH_DATA", "~/data")
    assert data_folder() == tmp_path / "data"
    assert data_folder(Path("~/other")) == tmp_path / "other"
    monkeypatch.setenv("LOSSBENCH_DATA", "~nobody-of-this-name/data")
    assert data_folder() == Path("~nobody-of-this-name/data")


def test_results_in_the_home_folder(monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--loss", "softmax", *QUICK, "--results=~/x"]) == 0
    assert (tmp_path / "x" / "runs").is_dir()
    assert not (tmp_path / "~").exists()


@pytest.mark.parametrize(
    "text, name",
    [
        ("mine:Tanh", "mine-tanh"),
        ("softmax+center", "softmax+center"),
        ("Größe/..\\x?*<>|\"'", "gr-e-x"),
        (" a_b.c ", "a-b-c"),
        ("", ""),
    ],
)
def test_a_slug_is_a_name_on_any_system(text: str, name: str) -> None:
    assert slug(text) == name


def test_long_names_are_cut_and_stay_different() -> None:
    names = {slug("loss-" * 100 + end) for end in ("a", "b")}
    assert len(names) == 2
    assert max(map(len, names)) < 170


def test_no_file_name_has_a_colon(capsys: Any, monkeypatch: Any, tmp_path: Path) -> None:
    """A loss from outside, in every command that names files by losses."""
    (tmp_path / "mineloss.py").write_text(
        "from lossbench.losses import Softmax\n\nclass Tanh(Softmax):\n    pass\n", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    loss = "mineloss:Tanh"
    assert main(["compare", "--losses", f"softmax,{loss}", "--seeds", "0-1", *QUICK, "--snapshots", "2"]) == 0
    assert main(["sweep", "--loss", loss, "--lr", "0.01,0.02", *QUICK]) == 0
    assert main(["tune", "--loss", loss, "--trials", "1", "--seeds", "7", *QUICK]) == 0
    assert main(["plot", "confusion", "--loss", loss]) == 0
    assert main(["animate", "--loss", loss]) == 0
    assert main(["explore", "--loss", loss]) == 0
    assert re.search(r"^Page: results/\S+\.html\n$", capsys.readouterr().err, re.MULTILINE)
    names = [path.name for path in (tmp_path / "results").rglob("*")]
    assert sum("tanh" in name for name in names) > 12
    assert not [name for name in names if set(name) & set(':\\*?"<>|')]


@pytest.mark.parametrize("words", ["runs", "runs --json", "plot", "report", "train --dataset digits"])
def test_a_results_folder_that_no_system_can_have_is_a_sentence(capsys: Any, words: str) -> None:
    assert main([*words.split(), "--results", "x" * 300]) == 1
    output = capsys.readouterr()
    assert "File name too long" in output.err
    if "--json" in words:
        assert "File name too long" in json.loads(output.out)["reason"]


def test_a_working_folder_that_was_removed_is_a_sentence(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"cd {gone}; rmdir {gone}; {sys.executable} -m lossbench losses center"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "lossbench: The working folder does not exist any more.\n")


@pytest.mark.parametrize(
    "words",
    [
        "train --results=",
        "runs --results=",
        "train --data-dir=",
        "plot --output=",
        "report --output=",
        "export --run a --output=",
        "train --json --results=",
    ],
)
def test_an_empty_path_is_refused(monkeypatch: Any, tmp_path: Path, capsys: Any, words: str) -> None:
    """An unset variable in a script is not the working folder."""
    monkeypatch.chdir(tmp_path)
    code = main(words.split())
    said = capsys.readouterr()
    assert (code, list(tmp_path.iterdir())) == (2, [])
    name = words.split()[-1].rstrip("=")
    assert f"Invalid value for '{name}': A path is empty" in (said.out if "--json" in words else said.err)


def test_an_empty_path_is_refused_in_python(monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    calls: list[Any] = [
        lambda: lossbench.train(results="", dataset="digits"),
        lambda: lossbench.train(data_dir="", dataset="digits"),
        lambda: lossbench.runs(results=""),
        lambda: lossbench.animate(results=""),
    ]
    for call in calls:
        with pytest.raises(UsageError, match="path is empty"):
            call()
    assert not list(tmp_path.iterdir())


def test_a_loop_of_links_is_a_sentence_without_a_number(capsys: Any, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for words in ("train --dataset digits", "runs", "plot"):
        assert main([*words.split(), "--results", str(tmp_path / "loop")]) == 1
        said = capsys.readouterr().err
        assert "Too many levels of symbolic links." in said or "is not a folder." in said
        assert "Errno" not in said


@pytest.mark.parametrize("name", ["typing", "types", "contextlib", "re", "json", "torch", "typer"])
def test_a_file_beside_the_command_may_be_named_like_a_library(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.py").write_text("raise SystemError('imported')\n")
    command = [sys.executable, "-m", "lossbench", "losses", "center"]
    done = subprocess.run(command, cwd=tmp_path, env=with_package(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("Center: ")


def test_the_search_path_of_another_program_is_left_alone(tmp_path: Path) -> None:
    """Also that of one whose package imports lossbench while `python -m` still looks for its main module."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "__init__.py").write_text("import lossbench, sys\n")
    (tmp_path / "other" / "__main__.py").write_text(
        "print(sys.path[0])\n".replace("sys.", "__import__('sys').")
    )
    command = [sys.executable, "-m", "other", "lossbench"]
    done = subprocess.run(command, cwd=tmp_path, env=with_package(), capture_output=True, text=True)
    assert done.stdout.strip() == str(tmp_path)


def with_package() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
