"""The display of runs in progress: how much time is left, and which lines a log gets."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lossbench.cli import _output, _progress, _training
from lossbench.cli._options import Request, Storage
from lossbench.cli._output import print_pairs, print_text
from lossbench.cli._progress import RunDisplay, duration_text
from lossbench.engines import LOCAL
from lossbench.engines.time_estimate import Estimate
from lossbench.errors import RunError, UsageError
from lossbench.runs.config_builder import make_config
from lossbench.runs.store import Store
from lossbench.training.process import Placement
from tests.figures.views import epoch_records


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that the display believes; on a terminal."""
    now = [1000.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(_progress, "is_live", lambda: True)
    return now


def test_the_time_left_is_the_estimate_and_then_measured(clock: list[float]) -> None:
    display = RunDisplay(4, seconds=100.0)
    assert display.seconds_left() == 100  # nothing has begun
    display.finished_run("stored-0123456789", "stored")
    display.started("a", 4, 10, 0)
    clock[0] += 10
    assert display.seconds_left() == 90  # no step is over
    display.stepped("a", 20)
    assert display.seconds_left() == pytest.approx(10 * 2.5 / 0.5)  # half a run of three took 10 s
    display.finished_run("a", "done")
    clock[0] += 10
    assert display.seconds_left() == pytest.approx(20 * 2 / 1)
    display.started("b", 4, 10, 20)  # half of it was trained before
    display.stepped("b", 30)
    assert display.seconds_left() == pytest.approx(20 * 1.25 / 1.25)
    display.finished_run("b", "interrupted", ended=False)
    display.started("c", 4, 10, 0)
    display.finished_run("c", "done")
    assert display.seconds_left() == pytest.approx(20 * 0.25 / 2.25)


def test_the_time_left_is_unknown_without_an_estimate_or_a_number_of_runs(clock: list[float]) -> None:
    assert RunDisplay(2).seconds_left() is None
    assert RunDisplay(0, seconds=10.0).seconds_left() is None
    display = RunDisplay(1, seconds=5.0)
    display.started("a", 1, 10, 0)
    clock[0] += 60
    assert display.seconds_left() == 0  # never below


@pytest.mark.parametrize(
    ("runs", "epochs", "shown"), [(1, 3, [1, 2, 3]), (30, 4, []), (10, 4, [2, 4]), (3, 1, [1]), (0, 2, [])]
)
def test_about_twenty_epochs_have_a_line_in_a_log(
    runs: int, epochs: int, shown: list[int], capsys: Any
) -> None:
    display = RunDisplay(runs)
    display.started("a", epochs, 10, 0)
    for record in epoch_records(epochs):
        display.finished_epoch("a", record)
    lines = capsys.readouterr().err.splitlines()
    assert [int(line.split()[2].partition("/")[0]) for line in lines] == shown
    assert all("loss " in line and "images/s" in line for line in lines)


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (80, "epoch 2/5  val 95.00 %  40 s left"),
        (120, "epoch 2/5  loss 1.0000  val 95.00 %  15,000 images/s  40 s left"),
    ],
)
def test_the_bar_of_a_run_says_what_fits_the_terminal(
    clock: list[float], monkeypatch: pytest.MonkeyPatch, width: int, shown: str
) -> None:
    console = Console(width=width, file=io.StringIO())
    monkeypatch.setattr(_progress, "messages", console)
    display = RunDisplay(1, seconds=40.0)
    name = "a-loss-with-a-rather-long-name-0123456789"
    display.started(name, 5, 10, 0)
    display.finished_epoch(name, epoch_records(5)[1])
    display.stepped(name, 20)
    console.print(display.progress)
    (line,) = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert line.startswith("a-loss-with")
    assert line.rstrip().endswith(f" {shown}")


def test_bars_are_shown_until_the_command_ends(clock: list[float]) -> None:
    with RunDisplay(2) as display:
        assert display.progress.live.is_started
    assert not display.progress.live.is_started


def test_a_run_has_a_bar_until_it_ends(clock: list[float]) -> None:
    display = RunDisplay(2)
    for run in ("a", "b", "b"):  # begun again after a worker died
        display.started(run, 5, 10, 0)
    assert [task.description for task in display.progress.tasks] == ["runs", "a", "b"]
    display.finished_run("a", "done")
    display.finished_run("c", "interrupted", ended=False)
    assert [task.description for task in display.progress.tasks] == ["runs", "b"]
    every = display.progress.tasks[0]
    assert (every.completed, every.total, every.fields["state"]) == (1, 2, "1/2")


@pytest.mark.parametrize("shows", [lambda: print_text("text"), lambda: RunDisplay().__enter__()])
def test_what_is_loaded_is_said_until_something_is_shown(monkeypatch: pytest.MonkeyPatch, shows: Any) -> None:
    terminal = Console(width=80, file=io.StringIO(), force_terminal=True)
    monkeypatch.setattr(_output, "messages", terminal)
    monkeypatch.setattr(_output, "is_live", lambda: True)
    with _output.show_loading("Loading PyTorch"):
        assert _output._State.loading is not None
        shows()
        assert _output._State.loading is None
        with _output.show_loading("Loading data"):
            pass
        assert _output._State.loading is None
    assert "Loading PyTorch" in terminal.file.getvalue()  # type: ignore[attr-defined]


def test_durations_in_words() -> None:
    seconds = [0.4, 99, 100, 5999, 6000, 9000]
    assert [duration_text(each) for each in seconds] == ["0 s", "99 s", "2 min", "100 min", "1.7 h", "2.5 h"]


def test_pairs_that_are_too_wide_for_two_columns_keep_their_names(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    path = "/a/long/folder/of/results/runs/center-0123456789"
    print_pairs([("test accuracy", "98.9 %"), ("files", path)], "Center")
    assert capsys.readouterr().out.split() == ["Center", "test", "accuracy:", "98.9", "%", "files:", path]


@pytest.mark.parametrize(
    ("stored", "jobs", "workers", "said"),
    [
        (0, None, 3, "0 of 2 runs are stored, 2 to train: about 99 s, 3 at a time."),
        (1, 2, 2, "1 of 2 runs are stored, 1 to train: about 99 s, 3 at a time."),
        (2, None, None, "2 of 2 runs are stored."),
    ],
)
def test_runs_at_a_time_are_those_asked_for_else_those_of_the_estimate(
    capsys: Any,
    monkeypatch: Any,
    tmp_path: Path,
    stored: int,
    jobs: int | None,
    workers: int | None,
    said: str,
) -> None:
    asked = []

    def run_all(*_: Any, workers: int | None, **__: Any) -> None:
        asked.append(workers)
        raise UsageError("nothing is trained here")

    expected = Estimate(stored, 2 - stored, 99.0, packed=False, workers=3)
    monkeypatch.setattr(_training, "estimate", lambda *_, **__: expected)
    monkeypatch.setattr(_training, "run_all", run_all)
    configs = [make_config(dataset="digits", seed=seed) for seed in (0, 1)]
    with pytest.raises(UsageError):
        _training.run_configs(
            configs, Request("auto", None, None, LOCAL, {}), Storage(results=tmp_path), jobs=jobs
        )
    assert asked == [workers]
    assert capsys.readouterr().err == f"{said}\n"


def test_what_a_command_was_asked_for_reaches_the_estimate_and_the_runs(
    monkeypatch: Any, tmp_path: Path
) -> None:
    asked: list[dict[str, Any]] = []

    def estimate(configs: Any, store: Store, **given: Any) -> Estimate:
        given.pop("announce")
        asked.append({"configs": configs, "store": store.root, **given})
        return Estimate(0, 2, 99.0, packed=False, workers=3)

    def run_all(configs: Any, store: Store, *, observer: Any, stop: Any, **given: Any) -> None:
        assert isinstance(observer, RunDisplay) and not stop()
        assert (observer.total_runs, observer.expected) == (2, 99.0)
        asked.append({"configs": configs, "store": store.root, **given})
        raise UsageError("nothing is trained here")

    monkeypatch.setattr(_training, "estimate", estimate)
    monkeypatch.setattr(_training, "run_all", run_all)
    configs = [make_config(dataset="digits", seed=seed) for seed in (0, 1)]
    metrics = dict.fromkeys(configs, ("ece",))
    request = Request("cpu", tmp_path / "data", 2, LOCAL, {})
    with pytest.raises(UsageError):
        _training.run_configs(
            configs, request, Storage(tmp_path, force=True, snapshots=5), jobs=4, metrics=metrics
        )
    placement = Placement("cpu", tmp_path / "data", 2, snapshots=5)
    same = {"configs": configs, "store": tmp_path, "engine": LOCAL, "workers": 4, "force": True}
    same["placement"] = placement
    assert asked == [same | {"metrics": metrics}, same]


def test_a_results_folder_that_is_none_is_refused_before_runs_are_timed(
    monkeypatch: Any, tmp_path: Path
) -> None:
    monkeypatch.setattr(_training, "estimate", None)
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="file is not a folder"):
        _training.run_configs(
            [make_config(dataset="digits")],
            Request("auto", None, None, LOCAL, {}),
            Storage(tmp_path / "file"),
            jobs=1,
        )
