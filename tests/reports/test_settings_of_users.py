"""Matplotlib's settings of a user, in processes of their own: they change no figure and take no table away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lossbench.__main__ import main

QUICK = ["--dataset", "digits", "--epochs", "1", "--batch-size", "256", "--device", "cpu"]
COMPARE = ["compare", "--losses", "softmax,center", "--seeds", "0-1", *QUICK]
RC = """backend: does_not_exist_either
text.usetex: True
font.family: serif
figure.dpi: 40
savefig.dpi: 37
savefig.bbox: tight
axes.grid: True
axes.prop_cycle: cycler('color', ['red'])
axes.formatter.use_locale: True
lines.linewidth: 9
image.cmap: jet
path.sketch: 1, 100, 2
xtick.direction: in
mathtext.fontset: cm
svg.fonttype: none
"""


def python(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, env=environment | variables)


def figures_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "figures").iterdir() if path.suffix != ".json"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    assert main([*COMPARE, "--snapshots", "2", "--results", str(folder)]) == 0
    return folder


def test_figures_are_the_same_whatever_a_user_set(folder: Path, tmp_path: Path) -> None:
    """Those of three commands in one process, which reads the settings when it imports Matplotlib, and those
    of the process of this test, which has none."""
    (tmp_path / "matplotlibrc").write_text(RC)
    commands = [
        COMPARE,
        ["plot", "training", "--loss", "softmax", "--format", "svg"],
        ["animate", "--loss", "softmax"],
    ]
    code = (
        "from lossbench.__main__ import main\n"
        f"for command in {commands!r}:\n"
        f"    assert main([*command, '--results', {str(folder)!r}]) == 0, command"
    )
    for command in commands:
        assert main([*command, "--results", str(folder)]) == 0
    expected = figures_of(folder)
    assert {Path(name).suffix for name in expected} == {".png", ".svg", ".gif"}
    for path in (folder / "figures").iterdir():
        path.unlink()
    done = python(code, MPLBACKEND="does_not_exist", MATPLOTLIBRC=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert figures_of(folder) == expected


def test_tables_are_there_when_matplotlib_cannot_be_imported(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_bytes(b"font.family: \xff\xfe\n")
    code = (
        "from lossbench.__main__ import main\n"
        f"command = {[*COMPARE, '--results', str(folder)]!r}\n"
        "assert main(command) == 1\n"
        "print('and as JSON:')\n"
        "assert main([*command, '--json']) == 1"
    )
    done = python(code, MATPLOTLIBRC=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("could not be drawn (UnicodeDecodeError") == 2
    shown, _, document = done.stdout.partition("and as JSON:")
    assert "Softmax" in shown
    assert "Against Softmax" in shown
    assert json.loads(document)["figures"] == []
    assert json.loads(document)["settings"]
