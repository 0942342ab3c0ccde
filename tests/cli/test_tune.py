"""`tune --jobs`: trials at the same time, in worker processes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from lossbench.__main__ import main
from lossbench.engines import open_trainer
from lossbench.records import NullObserver
from lossbench.runs.config_builder import make_config
from lossbench.runs.store import Store
from lossbench.runs.stored_config import config_from_dict
from lossbench.training.process import Placement

QUICK = ["--dataset", "digits", "--epochs", "1", "--batch-size", "256", "--device", "cpu", "--seeds", "1000"]


def test_trials_run_at_the_same_time_and_count_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["tune", "--loss", "softmax", "--trials", "2", "--jobs", "2", *QUICK, "--results", str(tmp_path)]
    assert main([*words, "--json"]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["trials"] == 2
    assert (document["status"], document["loss_name"], document["seed"]) == ("done", "softmax", 1000)
    assert document["settings"] == {"softmax.bias": False, "softmax.fixed": False}
    assert document["config"]["epochs"] == 1
    assert len(re.findall(r"trial \d of 2", err)) == 2
    figure = Path(document["figure"])
    assert figure.exists() and json.loads(Path(f"{figure}.json").read_text())["kind"] == "tune"
    assert main([*words, "--json"]) == 0  # all trials are stored
    out, err = capsys.readouterr()
    assert json.loads(out)["value"] == document["value"]
    assert "trial" not in err


def test_trials_start_from_a_run_of_the_same_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [*QUICK[:-2], "--results", str(tmp_path), "--json"]
    assert main(["train", "--loss", "softmax", *given]) == 0
    name = json.loads(capsys.readouterr().out)["run"]
    assert main(["tune", "--loss", "softmax", "--init", name, "--trials", "1", "--seeds", "5", *given]) == 0
    config = config_from_dict(json.loads(capsys.readouterr().out)["config"])
    assert config.init.startswith(name)
    begun = Store(tmp_path).run(
        config
    )  # a run like that of a trial, interrupted: the trial still begins anew
    begun.begin()
    begun.write_bytes("resume.pt", b"")
    assert begun.pack_initial()


def test_a_worker_trains_what_this_process_would(tmp_path: Path) -> None:
    config = make_config(dataset="digits", epochs=1, batch_size=256, precision="fp32")
    placement = Placement("cpu", threads=1)
    values = []
    for workers in (None, 2):
        with open_trainer(config, placement=placement, workers=workers) as (train, at_once):
            assert at_once == (workers or 1)
            result = train(
                config,
                Store(tmp_path / str(workers)),
                placement=placement,
                observer=NullObserver(),
                stop=lambda: False,
            )
            values.append(result.val_accuracy)
    assert values[0] == values[1]
