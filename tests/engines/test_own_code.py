"""User code that ends, changes or keeps its process takes neither other runs nor the command with it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lossbench.__main__ import main
from lossbench.engines import processes, time_estimate
from lossbench.engines.processes import needs_worker
from lossbench.runs.result import Status
from lossbench.runs.store import Store
from lossbench.specs import plugins

from ..helpers.own_code import forget
from ..helpers.runs import ONE_THREAD, small
from .test_scheduler import ENGINES, statuses

HARMFUL = """
    import os, sys, threading, time
    from pathlib import Path
    from torch import nn

    class Loss(nn.Module):
        def __init__(self, num_classes, feature_dim):
            super().__init__()

        def forward(self, features, labels):
            Path(__file__).with_suffix(".log").write_text("its code was run")
            {action}
            return features.square().mean()

    class Net(nn.Module):
        def __init__(self, shape, feature_dim):
            super().__init__()
            self.layer = nn.Linear(64, feature_dim)

        def forward(self, images):
            if self.training:
                {action}
            return self.layer(images.flatten(1))
"""
QUICK = ["--dataset", "digits", "--epochs", "1", "--batch-size", "500", "--device", "cpu"]


@pytest.fixture
def harmful(tmp_path: Path, monkeypatch: Any) -> Any:
    """Writes a module `harmful` into the working folder, whose loss and network do something in training."""

    def write(action: str) -> Path:
        (tmp_path / "harmful.py").write_text(textwrap.dedent(HARMFUL).format(action=action))
        return tmp_path

    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield write
    forget("harmful")


def test_a_loss_that_ends_its_process_fails_alone(harmful: Any, capsys: Any) -> None:
    harmful("os._exit(0)")
    assert main(["compare", "--losses", "harmful:Loss,softmax", *QUICK, "--json"]) == 1
    runs = json.loads(capsys.readouterr().out)["runs"]
    assert {run["loss_name"]: run["status"] for run in runs} == {"harmful:Loss": "failed", "softmax": "done"}
    assert "its worker process died (exit code 0)" in runs[0]["reason"]


def test_only_code_of_a_user_needs_a_worker_and_not_on_a_gpu(harmful: Any, monkeypatch: Any) -> None:
    harmful("pass")
    for config, needed in ((small("harmful:Loss"), True), (small("softmax"), False)):
        assert needs_worker(config, ONE_THREAD) is needed
        with monkeypatch.context() as patch:
            patch.setattr(processes, "resolve_device", torch.device)
            assert needs_worker(config, ONE_THREAD._replace(device="cuda")) is False


@pytest.mark.parametrize("name", ["Loss", "Net"])
def test_what_ends_its_process_is_not_timed_and_stops_nobody(harmful: Any, name: str) -> None:
    folder = harmful("os._exit(0)")
    own = small("harmful:Loss") if name == "Loss" else small("softmax", network="harmful:Net")
    configs = [own, small("softmax", batch_size=50)]
    estimate = time_estimate.estimate_time(configs, Store(folder), placement=ONE_THREAD, workers=1)
    assert (estimate.waiting, estimate.seconds > 0) == (2, True)


@pytest.mark.parametrize("change", ["os.chdir('/')", "sys.stdout = sys.stderr = None"])
def test_what_it_changes_is_put_back(harmful: Any, capsys: Any, change: str) -> None:
    folder, streams = harmful(change), (sys.stdout, sys.stderr)
    assert main(["train", "--loss", "harmful:Loss", *QUICK]) == 0
    assert (os.getcwd(), sys.stdout, sys.stderr) == (str(folder), *streams)
    assert len(list(folder.glob("results/runs/*/result.json"))) == 1
    assert (folder / "harmful.log").exists()
    assert "test accuracy" in capsys.readouterr().out


def test_what_it_changes_in_a_worker_is_put_back_before_the_next_run(harmful: Any) -> None:
    folder = harmful("os.chdir('/'); sys.stderr and sys.stderr.close(); sys.stdout = sys.stderr = None")
    configs = [small("harmful:Loss", epochs=1, seed=seed) for seed in (0, 1)]
    assert statuses(configs, folder / "results", ENGINES["in process"]) == [Status.DONE] * 2


def test_what_it_changes_in_torch_does_not_reach_other_runs(harmful: Any) -> None:
    folder = harmful("nn.functional.relu = lambda x, inplace=False: x")
    other, features = small("softmax", epochs=1), []
    for name, configs in {"beside": [small("harmful:Loss", epochs=1), other], "alone": [other]}.items():
        assert set(statuses(configs, folder / name, ENGINES["in process"])) == {Status.DONE}
        features.append(np.load(Store(folder / name).run(other).path / "features.npz")["test_features"])
    assert np.array_equal(*features)


def test_what_it_changes_for_a_figure_is_put_back(harmful: Any, capsys: Any) -> None:
    folder = harmful("os.chdir('/')")
    assert main(["train", "--loss", "softmax + harmful:Loss", *QUICK]) == 0
    for figure in ("loss-surface", "regions"):
        assert main(["plot", figure]) == 0, capsys.readouterr().err
    assert len(list(folder.glob("results/figures/*.png"))) == 2


def test_closed_streams_are_opened_again(tmp_path: Path, monkeypatch: Any) -> None:
    """Where they have descriptors, as those of a command."""
    with (tmp_path / "out").open("w", buffering=1, encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", open(stream.fileno(), "w", closefd=False))  # noqa: SIM115
        with plugins.folder_and_streams_kept():
            print("before")
            sys.stdout.close()
        print("after", flush=True)
    assert (tmp_path / "out").read_text().split() == ["before", "after"]


STAYS = """
import sys, threading
from lossbench.__main__ import main

threading.Thread(target=threading.Event().wait).start()
sys.exit(main())
"""


def test_a_thread_that_stays_does_not_keep_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STAYS, "losses", "nothing"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, "Unknown loss" in done.stderr) == (2, True)


def test_a_thread_that_ends_is_waited_for(monkeypatch: Any) -> None:
    monkeypatch.setattr(os, "_exit", lambda code: pytest.fail(f"ended with {code}"))
    thread = threading.Thread(target=threading.Event().wait, args=(0.1,))
    thread.start()
    plugins.end_with_threads(0)
    assert not thread.is_alive()


def test_a_worker_trains_no_other_code_than_its_command_has(harmful: Any, capsys: Any) -> None:
    """As where a file is edited while a command runs, or between two calls in one process."""
    harmful("features = features + 0")
    plugins.find("harmful:Loss")
    harmful("features = 2 * features")
    assert main(["compare", "--losses", "harmful:Loss,softmax", *QUICK, "--json"]) == 1
    out, err = capsys.readouterr()
    runs = json.loads(out)["runs"]
    assert [run["status"] for run in runs] == ["failed", "done"]
    assert runs[0]["reason"] == "The code of harmful:Loss has changed since the command began."
    assert "harmful:Loss has changed since this process imported it; reload its module" in err


def test_a_search_says_which_run_ended_its_process(harmful: Any, capsys: Any) -> None:
    harmful("os._exit(3)")
    words = ["tune", "--loss", "harmful:Loss", "--trials", "1", "--seeds", "0", *QUICK, "--json"]
    assert main(words) == 1
    reason = json.loads(capsys.readouterr().out)["reason"]
    assert re.fullmatch(r"harmful-loss-\w{10}: failed: its worker process died \(exit code 3\)", reason)
