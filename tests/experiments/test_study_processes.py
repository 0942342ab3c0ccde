"""A search and its processes: killed, interrupted or several at once, the budget is exact and no trial is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from lossbench.__main__ import main
from lossbench.errors import Interrupted, RunError
from lossbench.experiments import search_space as searching
from lossbench.experiments import study as tuning
from lossbench.experiments.search_space import defaults

from ..helpers.runs import Recorder
from ..helpers.studies import check_ended, home_of, made, pretend, search_in, study_of

COMMAND = "tune --loss softmax --dataset digits --epochs 2 --batch-size 100 --precision fp32 --device cpu"
COMMAND += " --seeds 5 --trials 3"


@pytest.fixture
def pretended(monkeypatch):
    return pretend(monkeypatch)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What COMMAND finds when nothing happens."""
    return commanded(tmp_path_factory.mktemp("undisturbed"))


def commanded(folder):
    """What COMMAND finds in a folder, after checking what it leaves there."""
    assert main([*COMMAND.split(), "--results", str(folder)]) == 0
    found = json.loads((folder / "tuned/digits/compact/softmax.json").read_text())
    check_ended(folder, 3, found)
    return found


def begun(folder):
    command = [sys.executable, "-W", "error", "-m", "lossbench", *COMMAND.split(), "--results", str(folder)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def appears(folder, pattern, goes_on=lambda: True):
    for _ in range(6000):
        if list(folder.glob(pattern)):
            return True
        if not goes_on():
            break
        time.sleep(0.01)
    return False


@pytest.mark.slow
def test_killed_in_the_middle_of_a_trial_the_same_command_completes_it(tmp_path, undisturbed):
    process = begun(tmp_path)
    assert appears(tmp_path, "tuned/**/trial-1/runs/*/resume.pt", lambda: process.poll() is None)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not list(tmp_path.glob("tuned/**/softmax.json"))
    assert list(tmp_path.glob("tuned/**/trial-*/runs/*"))
    assert commanded(tmp_path) == undisturbed


def test_ctrl_c_ends_with_130_and_the_same_command_goes_on(tmp_path, undisturbed, capsys):
    def press():
        if appears(tmp_path, "tuned/**/trial-0/runs/*/resume.pt"):
            os.kill(os.getpid(), signal.SIGINT)

    pressing = threading.Thread(target=press)
    pressing.start()
    code = main([*COMMAND.split(), "--results", str(tmp_path)])
    pressing.join()
    assert code == 130
    assert "the same command continues" in capsys.readouterr().err
    assert not list(tmp_path.glob("tuned/**/softmax.json"))
    assert commanded(tmp_path) == undisturbed


@pytest.mark.slow
def test_two_processes_share_one_budget(tmp_path, undisturbed):
    processes = [begun(tmp_path) for _ in range(2)]
    said = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert sum(line.startswith("trial ") for text in said for line in text.splitlines()) == 3
    found = commanded(tmp_path)
    assert sorted(found["values"]) == sorted(undisturbed["values"])  # the same points, in another order
    assert found["point"] == undisturbed["point"]


class Killed(BaseException):
    """Nothing of ours catches it, like a death."""


def dies(folder, search, monkeypatch, after, torn=False):
    """Search until so many lines of the journal are written; whether that was before the end."""
    from optuna.storages.journal import JournalFileBackend as Backend

    write, writes = Backend.append_logs, []

    def append(self, logs):
        writes.append(logs)
        if len(writes) <= after:
            return write(self, logs)
        if torn and len(writes) == after + 1:
            with open(self._file_path, "a") as file:
                file.write(json.dumps(logs[0])[:-9])
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Backend, "append_logs", append)
        try:
            search_in(folder, search, 2)
        except Killed:
            return True
    return False


@pytest.mark.parametrize(("torn", "earlier"), [(False, None), (True, None), (False, 8)])
def test_death_at_any_write_of_the_journal_loses_no_trial(tmp_path, pretended, monkeypatch, torn, earlier):
    """Also where it was about to take over the trial of one that died earlier."""
    search = made("center")
    wanted, last = search_in(tmp_path / "undisturbed", search, 2), 0
    while True:
        folder = tmp_path / str(last)
        assert earlier is None or dies(folder, search, monkeypatch, earlier)
        if not dies(folder, search, monkeypatch, last, torn):
            break
        found = search_in(folder, search, 2)
        check_ended(folder, 2, found)
        assert found == wanted, last
        last += 1
    assert last > 10


def test_a_trial_of_a_dead_process_is_taken_over_once(tmp_path, pretended):
    """Also where a second process died while it took the trial over."""
    search = made("center")
    study = study_of(tmp_path, search)
    trial = study.ask(searching.distributions(search))  # and nobody holds its lock
    (home_of(tmp_path, search) / "trial-0/runs").mkdir(parents=True)
    study.enqueue_trial(trial.params, user_attrs={"continues": trial.number})
    found = search_in(tmp_path, search, 1)
    check_ended(tmp_path, 1, found)
    assert [trial.state.name for trial in study_of(tmp_path, search).trials] == ["FAIL", "COMPLETE"]
    assert found["values"] == [found["default_value"]]


def test_a_trial_that_lives_is_left_alone(tmp_path, pretended):
    search = made("center")
    study = study_of(tmp_path, search)
    trial, own = tuning._begin(study, search, home_of(tmp_path, search))
    pretended.clear()

    class Impatient(Recorder):
        asked = 0

        def stop(self):
            self.asked += 1
            return self.asked > 1

    with pytest.raises(Interrupted, match="the same command continues it"):
        search_in(tmp_path, search, 1, Impatient())
    assert not pretended
    study.tell(trial, 0.5)
    own.release()
    assert search_in(tmp_path, search, 1)["values"] == [0.5]


def test_processes_never_propose_the_same_point(tmp_path, pretended):
    search = made("center")
    studies = [study_of(tmp_path, search) for _ in range(2)]
    held = [tuning._begin(studies[number % 2], search, home_of(tmp_path, search)) for number in range(6)]
    assert held[0][0].params == defaults(search)
    assert len({tuple(trial.params.values()) for trial, _ in held}) == 6
    for _, own in held:
        own.release()


def test_runs_that_a_dead_process_left_are_removed_and_others_kept(tmp_path, pretended):
    search = made("center")
    study = study_of(tmp_path, search)
    _, own = tuning._begin(study, search, home_of(tmp_path, search))
    for name in ("trial-0/runs/a", "trial-1/runs/b", "trial-77/runs/c"):
        (home_of(tmp_path, search) / name).mkdir(parents=True)
    other = made("center", seeds=(1,))
    search_in(tmp_path, other, 2)
    assert (home_of(tmp_path, search) / "trial-77").exists(), "another study's"
    tuning._tidy(study, home_of(tmp_path, search))
    own.release()
    assert [path.name for path in home_of(tmp_path, search).glob("trial-*[0-9]")] == ["trial-0"]


def test_a_journal_changed_by_hand_is_one_sentence(tmp_path, pretended):
    search = made("center")
    before = search_in(tmp_path, search, 2)
    journal = home_of(tmp_path, search) / "journal.log"
    lines = journal.read_text().splitlines(keepends=True)
    for altered in ("".join([*lines[:3], "{]\n", *lines[3:]]), "{}\n", "\0" * 100 + "\n", "\udcff\n"):
        journal.write_bytes(altered.encode(errors="surrogateescape"))
        with pytest.raises(RunError, match=r"journal\.log cannot be read .* begins anew"):
            search_in(tmp_path, search, 2)
    journal.write_text("".join(lines)[:-40])
    assert search_in(tmp_path, search, 2) == before
    journal.unlink()
    journal.mkdir()
    with pytest.raises(RunError, match="cannot be written: Is a directory"):
        search_in(tmp_path, search, 2)
