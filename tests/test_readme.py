"""The README is under test: its two lines are what CI runs, its links resolve, its examples are real."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from lossbench.__main__ import main
from lossbench.cli import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(name: str) -> list[str]:
    match = re.search(rf"<!-- {name} -->\n```\w*\n(.*?)```", README, re.DOTALL)
    assert match, f"README has no block '{name}'"
    return match[1].strip().splitlines()


def test_the_start_line_is_one_line_that_sets_up_and_compares():
    (line,) = block("start line")
    steps = [step.strip() for step in line.split("&&")]
    assert steps[0] == "python3 -m venv .venv"
    assert steps[1] == ".venv/bin/pip install -q -e ."
    assert steps[2] == ".venv/bin/lossbench compare --dataset digits"


def test_the_test_line_is_what_ci_runs():
    """CI takes the line out of this very block; it must not have a copy of its own."""
    (line,) = block("test line")
    assert line.startswith("python3 -m venv .venv && ")
    assert line.endswith(".venv/bin/python -m pytest")
    script = (ROOT / ".ci" / "run").read_text()
    assert "<!-- test line -->" in script
    assert 'bash -euo pipefail -c "$test_line"' in script
    assert "-m pytest" not in script


EXAMPLES = [line.partition("#")[0].strip() for line in block("examples") if line.strip()]


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_run(example, tmp_path, monkeypatch):
    """Each command of the README, on the embedded data for one epoch and in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    words = shlex.split(example)
    assert words[0] == "lossbench"
    quick = ["--dataset", "digits", "--epochs", "1", "--device", "cpu"]
    if words[1] == "plot":
        assert main(["compare", *quick]) == 0
    arguments = words[1:] + (quick if words[1] in ("train", "compare", "sweep") else [])
    assert main(arguments) == 0


def test_every_command_stands_in_the_readme():
    for command in app.registered_commands:
        assert f"lossbench {command.callback.__name__}" in README


def test_links_resolve():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
