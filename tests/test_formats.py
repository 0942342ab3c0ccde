"""What version 0.1.0 first wrote loads forever: formats/1 is a run as it stored it, byte for byte."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from lossbench.__main__ import main
from lossbench.runs.store import Store
from lossbench.runs.stored_run import StoredRun

STORED = Path(__file__).parent / "formats" / "1"
TRAIN = ["train", "--loss", "center", "--dataset", "digits", "--epochs", "2", "--recipe", "compact"]


@pytest.fixture
def results(tmp_path):
    shutil.copytree(STORED, tmp_path / "results")
    return tmp_path / "results"


def test_it_is_this_very_run_and_not_trained_again(results, capsys):
    """The same command asks for the same id, whatever settings have been added since."""
    assert main([*TRAIN, "--results", str(results), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    (stored,) = STORED.glob("runs/*/result.json")
    before = json.loads(stored.read_text())
    assert {key: shown[key] for key in before} == before
    assert [path.name for path in (results / "runs").iterdir()] == [before["run"]]


def test_everything_in_it_can_still_be_read(results):
    (folder,), problems = Store(results).all()
    assert problems == []
    run = StoredRun(folder)
    assert (
        run.numbers["test_accuracy"] == json.loads((folder.path / "result.json").read_text())["test_accuracy"]
    )
    assert [record.epoch for record in run.epochs] == [1, 2]
    assert set(run.epochs[0].terms) == {"softmax", "center"}
    assert np.isnan(run.epochs[0].spread)  # not yet written down then
    assert run.snapshots is None
    test = run.splits["test"]
    assert (test.predictions == test.labels).mean() == pytest.approx(run.numbers["test_accuracy"])
    np.testing.assert_array_equal(run.scores(test.features).argmax(1), test.predictions)


@pytest.mark.parametrize(
    "command",
    [
        ["plot", "features"],
        ["plot", "training"],
        ["plot", "regions"],
        ["plot", "confusion"],
        ["runs"],
        ["compare", "--losses", "center", "--dataset", "digits", "--epochs", "2", "--metric", "map-at-r"],
    ],
    ids=" ".join,
)
def test_every_command_still_shows_it(results, command):
    assert main([*command, "--results", str(results)]) == 0
