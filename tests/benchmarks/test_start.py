"""Fresh processes: what they draw is what `plot` draws of stored runs, and one that fails is no timing."""

from __future__ import annotations

import sys

import pytest

from lossbench.__main__ import main
from lossbench.benchmarks import start
from lossbench.benchmarks._timing import Timing
from lossbench.benchmarks.start import _process, _to_benchmark, measure, write_runs
from lossbench.errors import RunError
from lossbench.runs.result import Machine
from lossbench.runs.store import Store
from lossbench.runs.stored_run import StoredRun


@pytest.mark.slow
def test_times_the_four_commands():
    found = measure(repeats=1, runs=2, points=60)
    names = list(found.data["seconds"])
    assert names[:3] == ["python -c pass", "lossbench --help", "lossbench losses"]
    assert names[3] == "lossbench plot, 2 runs x 60 points"
    seconds = [each["median"] for each in found.data["seconds"].values()]
    assert 0 < seconds[0] < min(seconds[1:])
    assert [row[0] for row in found.table.rows] == names


def test_runs_are_as_large_as_asked_for_and_are_drawn(tmp_path):
    names = write_runs(Store(tmp_path), 2, 600)
    assert len(set(names)) == 2
    runs = [StoredRun(Store(tmp_path).find(name)) for name in names]
    for run in runs:
        assert {name: len(part.labels) for name, part in run.splits.items()} == {"train": 500, "test": 100}
        assert 0.5 < run.numbers["test_accuracy"] <= 1
    shown = [word for name in names for word in ("--run", name)]
    assert main(["plot", *shown, "--results", str(tmp_path)]) == 0
    assert len(list((tmp_path / "figures").glob("*.png"))) == 1


def test_the_commands_draw_the_runs_that_were_written(monkeypatch):
    commands = []
    monkeypatch.setattr(start, "_process", lambda command: lambda: commands.append(list(command)))
    found = measure(repeats=2, runs=1, points=60)
    assert found.data["repeats"] == 2 and len(commands) == 4 * 3  # one round to warm up
    nothing, shown, listed, drawn = (command[1:] for command in commands[:4])
    assert nothing == ["-c", "pass"]
    assert (shown, listed) == (["-m", "lossbench", "--help"], ["-m", "lossbench", "losses"])
    assert [drawn[place] for place in (1, 2, 3, 5)] == ["lossbench", "plot", "--run", "--results"]
    names = ["python -c pass", "lossbench --help", "lossbench losses", "lossbench plot, 1 run x 60 points"]
    assert list(found.data["seconds"]) == names


def test_a_table_of_commands():
    machine = Machine("cpu", "A CPU", 2, "2", "3")
    found = _to_benchmark({"lossbench --help": Timing(0.5, 0.25, 0.75)}, machine, 7)
    assert (found.table.header, found.table.rows) == (
        ["command", "seconds", "middle half"], [["lossbench --help", "0.50", "0.25–0.75"]]
    )  # fmt: skip
    assert found.conditions.startswith(
        "Fresh processes from start to end, medians of 7, in turns, after one that warms the files. A CPU, 2 threads"
    )
    assert found.data == {
        "repeats": 7,
        "seconds": {"lossbench --help": {"median": 0.5, "low": 0.25, "high": 0.75}},
    }


def test_a_command_that_fails_is_a_run_error():
    with pytest.raises(RunError, match="exit code 3: no reason"):
        _process([sys.executable, "-c", "import sys; print('no reason', file=sys.stderr); sys.exit(3)"])()
