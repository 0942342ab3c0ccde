"""The README is under test: its two lines are what CI runs, and it stays short."""

from __future__ import annotations

import json
import re
import subprocess

from lossbench.tables import Table, to_markdown

from .helpers.pages import README, ROOT, blocks, check_generated

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


SHOWN = {
    "test_accuracy": ("test accuracy (%)", 100, 2),
    "spread-gap": ("spread/gap", 1, 3),
    "map-at-r": ("MAP@R", 1, 3),
    "roc-auc": ("ROC AUC", 1, 3),
}


def test_the_numbers_are_the_stored_ones():
    document = json.loads((ROOT / "results/tables/compare-softmax-center-arcface-mnist.json").read_text())
    rows = []
    for setting in document["settings"]:
        row = [f"`{setting['loss']}`"]
        for metric, (_, factor, digits) in SHOWN.items():
            found = setting["metrics"][metric]
            mean, half = factor * found["mean"], factor * found["half_width"]
            verdicts = [
                entry["verdict"]
                for entry in document["against"]
                if (entry["loss"], entry["metric"]) == (setting["loss"], metric)
            ]
            row.append(f"{mean:.{digits}f} ± {half:.{digits}f}" + "".join(f", {each}" for each in verdicts))
        rows.append(row)
    header = ["loss", *(title for title, _, _ in SHOWN.values())]
    check_generated(README, "numbers", to_markdown(Table(header, rows)))
