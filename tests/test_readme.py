"""The README is under test: its two lines are what CI runs, its links resolve, its examples are real."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from lossbench.__main__ import main
from lossbench.cli import COMMANDS
from lossbench.cli.bench import bench
from lossbench.specs import catalog
from lossbench.tables import Table, to_markdown

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(name: str) -> list[str]:
    found = re.findall(rf"<!-- {name} -->\n```\w*\n(.*?)```", README, re.DOTALL)
    assert found, f"README has no block '{name}'"
    return found


def block(name: str) -> list[str]:
    return [line for text in blocks(name) for line in text.strip().splitlines()]


def generated(name: str, expected: str) -> None:
    """The text between the marks is what the program says; UPDATE_README=1 writes it."""
    pattern = rf"(<!-- {name} -->\n)(.*?)(<!-- end -->)"
    match = re.search(pattern, README, re.DOTALL)
    assert match, f"README has no generated part '{name}'"
    if os.environ.get("UPDATE_README"):
        text = (ROOT / "README.md").read_text(encoding="utf-8")
        fresh = re.sub(pattern, lambda m: f"{m[1]}{expected}\n{m[3]}", text, flags=re.DOTALL)
        (ROOT / "README.md").write_text(fresh, encoding="utf-8")
        return
    assert match[2].strip() == expected.strip(), "run the tests with UPDATE_README=1"


def test_the_list_of_losses_is_fresh():
    rows = []
    for name in catalog.names("losses"):
        spec = catalog.spec("losses", name)
        rows.append([f"`{name}`", spec.kind, spec.summary, spec.paper])
    generated("losses", to_markdown(Table(["loss", "kind", "what it does", "source"], rows)))


def test_the_list_of_metrics_is_fresh():
    rows = []
    for name in catalog.names("metrics"):
        spec = catalog.spec("metrics", name)
        better = {True: "higher", False: "lower", None: "–"}[spec.higher_is_better]
        rows.append([f"`{name}`", spec.summary, spec.unit, better, spec.source])
    generated("metrics", to_markdown(Table(["metric", "what it is", "unit", "better", "source"], rows)))


def test_the_list_of_figures_is_fresh():
    rows = []
    for name in catalog.names("figures"):
        spec = catalog.spec("figures", name)
        maker = "" if spec.drawn_from in ("runs", "comparison") else f"drawn from {spec.drawn_from}"
        rows.append([f"`{name}`", spec.summary, " · ".join(filter(None, [spec.after, maker]))])
    generated("figures", to_markdown(Table(["figure", "what it shows", "after"], rows)))


def test_the_measured_table_is_the_stored_one():
    stored = ROOT / "results" / "tables" / "compare-softmax-center-arcface-mnist.md"
    _, shown = stored.read_text(encoding="utf-8").strip().split("\n\n", 1)
    generated("measured", shown)


def test_the_benchmark_is_a_stored_one():
    """The losses that have a counterpart, and the sentence that says how they were timed."""
    text = (ROOT / "results/benchmarks/intel-r-xeon-r-processor.md").read_text(encoding="utf-8")
    section = text.partition("## losses\n")[2].partition("\n## ")[0]
    header, rule, *rows, _, said, _, command = section.strip().splitlines()
    compared = [row for row in rows if row.endswith("|") and not row.endswith("– |")]
    generated("benchmark", "\n".join([header, rule, *compared, "", said, "", command]))


def test_python_in_the_readme_runs():
    for source in blocks("python"):
        exec(compile(source, "README.md", "exec"), {})


def test_the_start_line_is_one_line_that_sets_up_and_compares():
    (line,) = block("start line")
    steps = [step.strip() for step in line.split("&&")]
    assert steps[0] == "python3 -m venv .venv"
    assert steps[1] == ".venv/bin/pip install -q -e ."
    assert steps[2] == ".venv/bin/lossbench compare --dataset digits"


def test_both_lines_are_what_ci_runs():
    """CI takes the lines out of these very blocks; it must not have a copy of its own."""
    (line,) = block("test line")
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
        assert done.stdout.strip() == block(f"{name} line")[0]


SHOWING = ("plot", "animate", "explore", "report")


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A folder with runs that every example which only shows something can use."""
    folder = tmp_path_factory.mktemp("readme")
    place, quick = ["--results", str(folder / "results")], ["--dataset", "digits", "--epochs", "1"]
    assert main(["compare", "--snapshots", "3", *quick, *place]) == 0
    assert main(["sweep", "--loss", "center", "--lambda", "0.01,0.1", *quick, *place]) == 0
    return folder


EXAMPLES = [
    line.partition("#")[0].strip()
    for name in ("examples", "picture examples", "own examples")
    for line in block(name)
]


# every second one each time, the others in the slow tier
SHARED_OUT = [pytest.param(e, marks=pytest.mark.slow) if n % 2 else e for n, e in enumerate(EXAMPLES)]


@pytest.mark.parametrize("example", SHARED_OUT)
def test_examples_run(example, tmp_path, monkeypatch, request):
    """Each command of the README, on the embedded data for one epoch and in a folder of its own."""
    (tmp_path / "mine.py").write_text("\n".join(block("mine")))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    words = [re.sub(r"^0-\d+$", "0-1", word) for word in shlex.split(example)]  # two seeds are enough here
    if "--jobs" in words:
        words[words.index("--jobs") + 1] = "1"  # workers start slowly, and have tests of their own
    assert words[0] == "lossbench"
    quick = ["--dataset", "digits", "--epochs", "1", "--device", "cpu"]
    if words[1] in SHOWING:
        monkeypatch.chdir(request.getfixturevalue("stored"))
    if "--datasets" in words:
        quick = quick[2:]
    if "--tuned" in words:
        assert main(["tune", "--loss", words[words.index("--losses") + 1], "--trials", "1", *quick]) == 0
    arguments = words[1:] + (quick if words[1] in ("train", "compare", "sweep", "tune") else [])
    assert main(arguments) == 0


@pytest.mark.parametrize("name", ["cluster", "slurm"])
def test_what_needs_a_cluster_is_at_least_understood(name):
    """Options are checked before help is shown; `tests/engines/test_ray.py` has the clusters."""
    commands = [line.partition("#")[0].partition("lossbench ")[2] for line in block(name)]
    assert any(commands)
    for command in filter(None, commands):
        assert main([*shlex.split(command), "--help"]) == 0


def test_every_command_stands_in_the_readme():
    for command in COMMANDS:
        assert f"lossbench {command}" in README
    for command in bench.registered_commands:
        assert f"lossbench bench {command.callback.__name__}" in README


def test_links_resolve():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
