"""Ctrl-C, and workers that die, exhaust_memory or are stopped by somebody: nothing is left running, nothing is lost."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lossbench.errors import Busy
from lossbench.runs.store import Store

from ..engines.test_scheduler import ENGINES, outcomes_of
from ..helpers.command_server import ends_within, processes_of, workers_of
from ..helpers.runs import Recorder, run, small
from .results_folders import check_whole, contents
from .test_kills import QUICK

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc and sets limits")
LONG = ["sweep", "--loss", "center", "--lambda", "0.001,0.01", "--seeds", "0-1", "--epochs", "3000", *QUICK]


def press_ctrl_c(server, folder, jobs, when, group=True):
    """Start a long sweep, press Ctrl-C when it is time; its exit code, its words, and seconds until its end."""
    output = folder.with_suffix(".txt")
    session = server.start([*LONG, "--jobs", str(jobs), "--results", str(folder)], output)
    deadline = time.monotonic() + 120
    while not when(session):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    began = time.monotonic()
    (os.killpg if group else os.kill)(session, signal.SIGINT)
    code = server.wait(session)
    taken = time.monotonic() - began
    assert ends_within(session, 0.5), processes_of(session)
    return code, output.read_text(), taken


def saved(folder, runs):
    return lambda _: len(list(folder.glob("runs/*/resume.pt"))) >= runs


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("group", [True, False])
def test_ctrl_c_of_a_sweep_saves_and_leaves_nobody(server, tmp_path, count, jobs, group):
    """As a terminal does it, to every process at once; and to the sweep alone."""
    folder = tmp_path / "results"
    code, words, taken = press_ctrl_c(server, folder, jobs, saved(folder, jobs), group)
    assert code == 130, words
    assert taken < 3
    assert "the same command continues" in words
    assert "Traceback" not in words
    check_whole(folder)
    stored, _ = Store(folder).all()
    assert len(stored) == jobs
    for one in stored:  # finished its step and saved after that
        assert "continues" not in (one.path / "log.txt").read_text()
        assert (one.path / "resume.pt").stat().st_size
        with one.lock():
            pass
    count("sweeps interrupted by Ctrl-C within 3 s, nobody left")


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(4))
def test_ctrl_c_while_workers_are_being_born(server, tmp_path, count, moment):
    def born(session):
        if len(workers_of(session)) == 2:
            time.sleep(0.7 * moment)
            return True
        return False

    code, words, taken = press_ctrl_c(server, tmp_path / "results", 2, born)
    assert (code, "Traceback" in words) == (130, False), words
    assert taken < 3
    count("sweeps interrupted by Ctrl-C within 3 s, nobody left")


def test_ctrl_c_while_metrics_are_measured(server, tmp_path):
    """Attacks on the images of a run take long; nobody waits for those that have begun."""
    attacks = ",".join(f"robust-accuracy-{kind}" for kind in ("apgd-ce", "apgd-dlr", "square"))
    words = ["compare", "--losses", "softmax", "--dataset", "digits", "--epochs", "1", "--metric", attacks]
    # attacks on the default network may take less than the two seconds after which there is a line
    words += ["--network", "lenet"]
    output = tmp_path / "output.txt"
    session = server.start([*words, "--results", str(tmp_path / "results")], output)
    deadline = time.monotonic() + 60
    while "Measuring metrics of 1 run." not in output.read_text():
        assert time.monotonic() < deadline, output.read_text()
        time.sleep(0.02)
    assert re.search(
        r", 1 to train: about [\d.]+ \w+; about [\d.]+ \w+ to measure metrics\.", output.read_text()
    )
    began = time.monotonic()
    os.kill(session, signal.SIGINT)
    assert server.wait(session) == 130, output.read_text()
    assert time.monotonic() - began < 4
    assert "Traceback" not in output.read_text()


class ActOnFirstWorker(Recorder):
    """Does something to the worker of the first run, once, as soon as it has begun."""

    def __init__(self, store, action):
        super().__init__()
        self.runs, self.action, self.done = store.runs, action, 0

    def started(self, run, epochs, steps, done):
        import multiprocessing

        if self.done:
            return
        for child in multiprocessing.active_children():
            if str(self.runs / run / ".lock") in opened_by(child.pid):
                self.done = child.pid
                self.action(child.pid)


def opened_by(pid):
    found = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            found.append(os.readlink(path))
    return found


def exhaust_memory(pid):
    """No page more, whatever it has now."""
    used = 4096 * int(Path(f"/proc/{pid}/statm").read_text().split()[0])
    resource.prlimit(pid, resource.RLIMIT_AS, (used // 2, used // 2))


def terminate(pid):
    os.kill(pid, signal.SIGTERM)


@pytest.mark.slow
@pytest.mark.parametrize("action", [exhaust_memory, terminate])
def test_a_worker_out_of_memory_or_stopped_is_replaced(tmp_path, count, action):
    import multiprocessing

    configs = [small("softmax", epochs=12, batch_size=1000, seed=seed) for seed in (0, 1)]
    observer = ActOnFirstWorker(Store(tmp_path / "hurt"), action)
    outcomes = outcomes_of(configs, tmp_path / "hurt", ENGINES["processes"], observer)
    assert observer.done
    assert [outcomes[config].status for config in configs] == ["done", "done"], outcomes
    assert not multiprocessing.active_children()
    for config in configs:
        run(config, tmp_path / "whole")
    assert contents(tmp_path / "hurt") == contents(tmp_path / "whole")
    logs = "".join(path.read_text() for path in (tmp_path / "hurt").glob("runs/*/log.txt"))
    assert logs.count("starts: ") + logs.count("continues in") == 3
    count("workers starved or stopped")


def test_a_single_run_held_by_another_process_is_still_refused_at_once(tmp_path):
    config = small("softmax")
    with Store(tmp_path).run(config).lock(), pytest.raises(Busy, match="right now"):
        run(config, tmp_path)


def start_real(words, tmp_path, **environment):
    """A process of its own, with a folder for temporary files of its own."""
    temporary = tmp_path / "temporary"
    temporary.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "lossbench", *words, "--results", str(tmp_path / "results")],
        env={**os.environ, "TMPDIR": str(temporary), **environment},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # some shells ignore it
    )
    return process, temporary


@pytest.mark.slow  # once of some thirty times the folder stayed
def test_a_kill_leaves_no_temporary_folder_of_the_workers(tmp_path):
    process, temporary = start_real([*LONG, "--jobs", "2"], tmp_path)
    deadline = time.monotonic() + 120
    while not saved(tmp_path / "results", 1)(None):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert list(temporary.iterdir())
    process.kill()
    process.communicate()
    assert ends_within(process.pid, 20)
    assert not list(temporary.rglob("*"))


def test_ctrl_c_again_and_again_prints_no_traceback(tmp_path):
    """Also while the libraries are unloaded."""
    process, _ = start_real([*LONG, "--jobs", "1"], tmp_path)
    while not saved(tmp_path / "results", 1)(None):
        time.sleep(0.1)
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.03)
    words = process.communicate()[1]
    assert process.returncode in (130, -signal.SIGINT)
    assert "Traceback" not in words, words
