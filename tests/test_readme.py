"""The README is under test: its two lines are what CI runs, and it stays short."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from lossbench.__main__ import main

from .helpers.pages import README, ROOT, blocks

LONGEST = 220  # lines


def line_of(mark: str) -> str:
    (block,) = [block for block in blocks(README) if block.mark == mark]
    (line,) = block.text.strip().splitlines()
    return line


def test_the_start_line_is_one_line_that_sets_up_and_compares():
    steps = [step.strip() for step in line_of("start line").split("&&")]
    assert steps[0] == "python3 -m venv .venv"
    assert steps[1] == ".venv/bin/pip install -q -e ."
    assert steps[2] == ".venv/bin/lossbench compare --dataset digits"


def test_both_lines_are_what_ci_runs():
    """CI takes the lines out of these very blocks; it must not have a copy of its own."""
    line = line_of("test line")
    assert line.startswith("python3 -m venv .venv && ")
    assert line.endswith(".venv/bin/python -m pytest")
    script = (ROOT / ".ci" / "run").read_text()
    assert "for name in start test" in script
    assert 'bash -euo pipefail -c "$line"' in script
    assert "-m pytest" not in script
    reader = re.search(r"readme_line\(\) \{\n(.*?)\n\}", script, re.DOTALL)[1]
    for name in ("start", "test"):
        done = subprocess.run(
            ["bash", "-c", reader, "ci", name], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == line_of(f"{name} line")


def test_the_readme_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="a source distribution has no checkout")
def test_the_first_command_leaves_the_checkout_clean(tmp_path, monkeypatch):
    """What a user trains is ignored by git; what the project publishes is in a folder of its own."""

    def git(*words):
        return subprocess.run(
            ["git", *words], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout

    tracked = subprocess.run(
        ["git", "ls-files", "results", ".gitignore"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in tracked:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    git("init", "-q")
    git("add", ".")
    assert set(git("ls-files").splitlines()) == set(tracked), "a published file is ignored"
    git("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "a")
    monkeypatch.chdir(tmp_path)
    quick = ["--epochs", "1", "--batch-size", "256"]
    assert main(["compare", "--dataset", "digits", "--seeds", "0-1", *quick]) == 0
    assert main(["sweep", "--loss", "center", "--dataset", "digits", "--lambda", "0.1,1", *quick]) == 0
    assert main(["plot", "regions"]) == 0
    assert main(["report"]) == 0
    assert git("status", "--porcelain") == ""
