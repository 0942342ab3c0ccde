"""Worker processes have the environment and folder of their sweep."""

from __future__ import annotations

import contextlib
import operator
import os
import signal
import subprocess
import sys
import threading
import time
from multiprocessing import forkserver, util

import pytest

from lossbench.engines import _worker, processes
from lossbench.engines._worker import call_in_worker
from lossbench.engines.scheduler import ProgressMonitor
from lossbench.runs.result import Status
from lossbench.runs.store import Store
from lossbench.training.process import STOP_SIGNALS

from ..helpers.runs import ONE_THREAD, Recorder, small
from .test_scheduler import ENGINES, statuses

LOSS_THAT_NOTES = """
import os, pathlib
from torch import nn

class Noting(nn.Module):
    \"\"\"Writes a variable of the environment to a file.\"\"\"

    def __init__(self, num_classes, feature_dim):
        super().__init__()
        pathlib.Path(os.environ["NOTES"], str(os.getpid())).write_text(os.environ.get("WORD", "nothing"))

    def forward(self, features, labels):
        return features.square().mean()
"""


def test_workers_have_the_environment_and_folder_of_their_sweep(tmp_path, monkeypatch):
    """Not those of the moment in which the server that forks them was started."""
    (tmp_path / "noting_losses.py").write_text(LOSS_THAT_NOTES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for word in ("once", "again", None):
        notes = tmp_path / f"notes-{word}"
        notes.mkdir()
        monkeypatch.setenv("NOTES", str(notes))
        monkeypatch.setenv("WORD", word) if word else monkeypatch.delenv("WORD")
        configs = [small("softmax + noting_losses:Noting", epochs=1, seed=seed) for seed in (0, 1)]
        assert statuses(configs, tmp_path / str(word), ENGINES["processes"]) == [Status.DONE] * 2
        words = {path.name: path.read_text() for path in notes.iterdir() if path.name != str(os.getpid())}
        assert len(words) == 2, "two workers"
        assert set(words.values()) == {word or "nothing"}


@pytest.mark.slow  # workers that no server forks import torch again
@pytest.mark.parametrize("length", [70, 200])
def test_a_long_path_of_temporary_files_is_no_obstacle(tmp_path, length):
    """The path of a socket has at most 107 bytes."""
    folder = tmp_path / "t"
    while len(str(folder)) < length:
        folder /= "x" * min(50, max(1, length - len(str(folder)) - 1))
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "lossbench", "compare", "--losses", "softmax,center", "--seeds", "1"]
    options = ["--jobs", "2", "--dataset", "digits", "--epochs", "1", "--device", "cpu"]
    done = subprocess.run(
        [*command, *options, "--results", str(tmp_path / "results")],
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert not list(folder.glob("pymp-*"))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no server")
def test_workers_are_spawned_where_their_server_cannot_have_its_socket(tmp_path, monkeypatch):
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    monkeypatch.setattr(util, "get_temp_dir", lambda: str(folder))
    monkeypatch.setattr(forkserver, "ensure_running", forkserver.ForkServer().ensure_running)
    assert _worker._context().get_start_method() == "spawn"
    monkeypatch.undo()
    with _worker._interrupts_blocked():  # workers have the signal mask of their server
        assert _worker._context().get_start_method() == "forkserver"


@pytest.mark.slow  # 30 s on a busy machine: the server imports torch again
@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no server")
def test_a_server_that_is_killed_while_it_starts_a_worker_is_replaced(tmp_path):
    """By a SIGTERM to the whole group, or where memory is short."""
    executor = processes.ProcessExecutor(Store(tmp_path), ONE_THREAD, ProgressMonitor(Recorder()), 2)
    with _worker._interrupts_blocked():
        _worker._context()
    server = forkserver._forkserver._forkserver_pid
    os.kill(server, signal.SIGSTOP)  # so that the start of a worker waits for it
    killer = threading.Timer(0.5, os.kill, (server, signal.SIGKILL))
    killer.start()
    executor.submit(small("softmax", epochs=1), False)
    assert not killer.is_alive()
    polled = (outcome.status for _ in range(300) for outcome in executor.poll())
    assert next(polled, None) is Status.DONE
    executor.close()


def test_a_function_in_a_process_of_its_own_returns_its_value_or_none() -> None:
    assert call_in_worker(operator.add, 2, 3) == 5
    assert call_in_worker(operator.truediv, 1, 0) is None


def test_a_worker_that_is_ended_has_time_to_end_by_itself_and_is_killed_after_it(tmp_path) -> None:
    note = tmp_path / "note"
    _worker.start_worker(wait_and_write, note, 0).end(60)
    assert note.read_text() == "ended"
    worker = _worker.start_worker(wait_and_write, note, 1000)
    assert worker.process.daemon  # it ends with its parent
    worker.end(0.1)
    assert worker.process.exitcode == -signal.SIGKILL


def wait_and_write(connection, note, seconds) -> None:
    """Once the other end is closed."""
    with contextlib.suppress(EOFError):
        connection.recv()
    time.sleep(seconds)
    note.write_text("ended")


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="Windows has no signal masks")
def test_signals_to_stop_but_sigterm_wait_until_a_worker_handles_them() -> None:
    blocked = call_in_worker(signal.pthread_sigmask, signal.SIG_BLOCK, ())
    assert blocked == set(STOP_SIGNALS) - {signal.SIGTERM}
    assert call_in_worker(unblocked_signals) == set()


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="Windows has no signal masks")
def test_the_start_of_a_worker_leaves_this_process_as_it_was() -> None:
    def state() -> tuple[object, ...]:
        return os.getcwd(), sys.modules["__main__"], signal.pthread_sigmask(signal.SIG_BLOCK, ())

    before = state()
    assert call_in_worker(os.getcwd) == os.getcwd()
    assert state() == before


def unblocked_signals() -> set[signal.Signals]:
    """Those that are still blocked once a worker handles signals."""
    _worker.unblock_interrupts()
    return signal.pthread_sigmask(signal.SIG_BLOCK, ())
