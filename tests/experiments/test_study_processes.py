"""A study and its processes: killed, interrupted or several at once, the budget is exact and no trial is lost."""

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

from ..helpers.runs import Recorder
from ..helpers.studies import check_ended, folder_of, open_study, replace_training, study_config, tune_in

COMMAND = "tune --loss softmax --dataset digits --epochs 2 --batch-size 100 --precision fp32 --device cpu"
COMMAND += " --seeds 5 --trials 3"


@pytest.fixture
def trained(monkeypatch):
    return replace_training(monkeypatch)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What COMMAND finds when nothing happens."""
    return commanded(tmp_path_factory.mktemp("undisturbed"))


def commanded(folder):
    """What COMMAND finds in a folder, after checking what it leaves there."""
    assert main([*COMMAND.split(), "--results", str(folder)]) == 0
    found = json.loads((folder / "tuned/digits/stride3/softmax.json").read_text())
    check_ended(folder, 3, found)
    return found


def start(folder):
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
    process = start(tmp_path)
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
    processes = [start(tmp_path) for _ in range(2)]
    outputs = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert sum(line.startswith("trial ") for text in outputs for line in text.splitlines()) == 3
    found = commanded(tmp_path)
    assert sorted(found["values"]) == sorted(undisturbed["values"])  # the same points, in another order
    assert found["point"] == undisturbed["point"]


class Killed(BaseException):
    """Nothing of ours catches it, like a death."""


def dies(folder, config, monkeypatch, after, torn=False):
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
            tune_in(folder, config, 2)
        except Killed:
            return True
    return False


@pytest.mark.parametrize(("torn", "earlier"), [(False, None), (True, None), (False, 8)])
def test_death_at_any_write_of_the_journal_loses_no_trial(tmp_path, trained, monkeypatch, torn, earlier):
    """Also where it was about to take over the trial of one that died earlier."""
    config = study_config("center")
    wanted, last = tune_in(tmp_path / "undisturbed", config, 2), 0
    while True:
        folder = tmp_path / str(last)
        assert earlier is None or dies(folder, config, monkeypatch, earlier)
        if not dies(folder, config, monkeypatch, last, torn):
            break
        found = tune_in(folder, config, 2)
        check_ended(folder, 2, found)
        assert found == wanted, last
        last += 1
    assert last > 10


def test_a_trial_of_a_dead_process_is_taken_over_once(tmp_path, trained):
    """Also where a second process died while it took the trial over."""
    config = study_config("center")
    study = open_study(tmp_path, config)
    trial = study.optuna.ask()  # and nobody holds its lock
    config.suggest(trial)
    (folder_of(tmp_path, config) / "trial-0/runs").mkdir(parents=True)
    study.optuna.enqueue_trial(trial.params, user_attrs={"continues": trial.number})
    found = tune_in(tmp_path, config, 1)
    check_ended(tmp_path, 1, found)
    assert [trial.state.name for trial in open_study(tmp_path, config).trials()] == ["FAIL", "COMPLETE"]
    assert found["values"] == [found["default_value"]]


def test_a_trial_that_lives_is_left_alone(tmp_path, trained):
    config = study_config("center")
    study = open_study(tmp_path, config)
    trial, lock = study.begin_trial()
    trained.clear()

    class Impatient(Recorder):
        asked = 0

        def stop(self):
            self.asked += 1
            return self.asked > 1

    with pytest.raises(Interrupted, match="the same command continues it"):
        tune_in(tmp_path, config, 1, Impatient())
    assert not trained
    study.optuna.tell(trial, 0.5)
    lock.release()
    assert tune_in(tmp_path, config, 1)["values"] == [0.5]


def test_processes_never_propose_the_same_point(tmp_path, trained):
    config = study_config("center")
    studies = [open_study(tmp_path, config) for _ in range(2)]
    begun = [studies[number % 2].begin_trial() for number in range(6)]
    assert begun[0][0].params == config.default_point()
    assert len({tuple(trial.params.values()) for trial, _ in begun}) == 6
    for _, lock in begun:
        lock.release()


def test_runs_that_a_dead_process_left_are_removed_and_others_kept(tmp_path, trained):
    config = study_config("center")
    study = open_study(tmp_path, config)
    _, lock = study.begin_trial()
    for name in ("trial-0/runs/a", "trial-1/runs/b", "trial-77/runs/c"):
        (folder_of(tmp_path, config) / name).mkdir(parents=True)
    other = study_config("center", seeds=(1,))
    tune_in(tmp_path, other, 2)
    assert (folder_of(tmp_path, config) / "trial-77").exists(), "another study's"
    study.remove_runs()
    lock.release()
    assert [path.name for path in folder_of(tmp_path, config).glob("trial-*[0-9]")] == ["trial-0"]


def test_a_journal_changed_by_hand_is_one_sentence(tmp_path, trained):
    config = study_config("center")
    before = tune_in(tmp_path, config, 2)
    journal = folder_of(tmp_path, config) / "journal.log"
    lines = journal.read_text().splitlines(keepends=True)
    for altered in ("".join([*lines[:3], "{]\n", *lines[3:]]), "{}\n", "\0" * 100 + "\n", "\udcff\n"):
        journal.write_bytes(altered.encode(errors="surrogateescape"))
        with pytest.raises(RunError, match=r"journal\.log cannot be read .* remove it to start"):
            tune_in(tmp_path, config, 2)
    journal.write_text("".join(lines)[:-40])
    assert tune_in(tmp_path, config, 2) == before
    journal.unlink()
    journal.mkdir()
    with pytest.raises(RunError, match="cannot be written: Is a directory"):
        tune_in(tmp_path, config, 2)
