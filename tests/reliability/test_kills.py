"""kill -9 at random moments: the same command again, and the end is that of an undisturbed one, bit for bit."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest

from ..helpers.command_server import ends_within, processes_of, workers_of
from .file_faults import Operations, watched
from .results_folders import check_ended, check_whole, completed, contents

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc and forks")

QUICK = ["--dataset", "digits", "--unseen", "2,3,4,5,6,7,8,9", "--batch-size", "50", "--precision", "fp32"]
QUICK += ["--device", "cpu"]
TRAIN = ["train", "--loss", "center", "--epochs", "10", *QUICK, "--results"]
SWEEP = ["sweep", "--loss", "center", "--lambda", "0.001,0.01", "--seeds", "0-1", "--epochs", "2", *QUICK]
ALONE, TWO = [*SWEEP, "--jobs", "1", "--results"], [*SWEEP, "--jobs", "2", "--results"]


class Undisturbed:
    """What a command leaves when nothing happens, and how long it takes."""

    def __init__(self, server, folder, arguments):
        began = time.monotonic()
        assert server.run([*arguments, str(folder)], folder.with_suffix(".txt")) == 0
        self.seconds = time.monotonic() - began
        self.contents = contents(folder)
        check_whole(folder)


@pytest.fixture(scope="module")
def undisturbed(server, tmp_path_factory):
    made = {}

    def of(arguments):
        key = " ".join(arguments)
        if key not in made:
            made[key] = Undisturbed(server, tmp_path_factory.mktemp("undisturbed") / "results", arguments)
        return made[key]

    return of


class KilledFolder:
    """A folder that is killed into, again and again, and what must hold each time."""

    def __init__(self, folder, runs):
        self.folder, self.runs, self.complete = folder, runs, {}

    def check(self):
        check_whole(self.folder)
        now = completed(self.folder)
        assert {name: now.get(name) for name in self.complete} == self.complete, "lost or trained twice"
        self.complete = now

    def check_end(self, wanted):
        self.check()
        check_ended(self.folder, self.runs)
        assert contents(self.folder) == wanted


def kill_at_random(server, arguments, whole, killed, chance, kills, at_most):
    """Kill the command up to `at_most` times, then let it end; the number of kills that found it alive."""
    kills_done = 0
    output = killed.folder.with_suffix(".txt")
    for _ in range(min(kills, at_most)):
        pid = server.start([*arguments, str(killed.folder)], output)
        time.sleep(chance.uniform(0, whole.seconds))
        os.kill(pid, signal.SIGKILL)  # not yet waited for, so it is still this process
        code = server.wait(pid)
        assert code in (0, -signal.SIGKILL), output.read_text()
        killed.check()
        kills_done += code != 0
    assert server.run([*arguments, str(killed.folder)], output) == 0, output.read_text()
    assert ends_within(pid, 20)
    killed.check_end(whole.contents)
    return kills_done


def survive(server, undisturbed, tmp_path, count, arguments, runs, kills, what):
    whole, kills_done, chance = undisturbed(arguments), 0, random.Random(20240229)
    for folder in range(10 * kills):
        killed = KilledFolder(tmp_path / str(folder), runs)
        found = kill_at_random(server, arguments, whole, killed, chance, kills - kills_done, 4)
        count(f"kills survived: {what}", found)
        count("runs compared bit for bit after kills", runs)
        kills_done += found
        if kills_done >= kills:
            return
    pytest.fail(f"only {kills_done} kills found a living process")


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
def test_a_training_process(server, undisturbed, tmp_path, count, kills):
    survive(server, undisturbed, tmp_path, count, TRAIN, 1, kills, "a training process")


@pytest.mark.parametrize("kills", [2, pytest.param(16, marks=pytest.mark.slow)])
def test_a_sweep(server, undisturbed, tmp_path, count, kills):
    survive(server, undisturbed, tmp_path, count, ALONE, 4, kills, "a sweep")


@pytest.mark.slow
def test_a_sweep_whose_workers_are_orphans_then(server, undisturbed, tmp_path, count):
    """The orphans save and go; the same command waits for the runs that they still hold."""
    survive(server, undisturbed, tmp_path, count, TWO, 4, 6, "a sweep with workers")


@pytest.mark.slow
def test_workers_of_a_sweep(server, undisturbed, tmp_path, count):
    """Each is replaced and its run retried once; a run that lost two workers is the next command's."""
    chance, whole, kills_done, rounds = random.Random(7), undisturbed(ALONE), 0, 0
    while kills_done < 12:
        killed, code = KilledFolder(tmp_path / str(rounds), 4), 1
        output, rounds = tmp_path / f"{rounds}.txt", rounds + 1
        while code:
            pid = server.start([*TWO, str(killed.folder)], output)
            while kills_done < 12 and processes_of(pid):
                time.sleep(chance.uniform(0, 2))
                if alive := workers_of(pid):
                    os.kill(chance.choice(alive), signal.SIGKILL)
                    kills_done += 1
                    count("kills survived: a sweep's worker")
            code = server.wait(pid)
            assert code in (0, 1), output.read_text()
            killed.check()
        killed.check_end(whole.contents)
        count("runs compared bit for bit after kills", 4)


def operations_of(arguments, folder):
    """How many operations on files the command does."""
    from lossbench.__main__ import main

    with watched(Operations(folder, 0, lambda: None)) as made:
        assert main([*arguments, str(folder)]) == 0
    return len(made.done)


@pytest.mark.slow
def test_death_at_every_single_operation_on_a_file(server, tmp_path, count):
    """What chance may miss: between any two operations the process is gone."""
    arguments = ["train", "--loss", "center", "--epochs", "1", *QUICK, "--results"]
    whole = Undisturbed(server, tmp_path / "whole", arguments)
    total = operations_of(arguments, tmp_path / "counted")
    assert total > 30
    for number in range(1, total + 1):
        killed, output = KilledFolder(tmp_path / str(number), 1), tmp_path / f"{number}.txt"
        assert server.run([*arguments, str(killed.folder)], output, kill_at=number) == -signal.SIGKILL, number
        killed.check()
        assert server.run([*arguments, str(killed.folder)], output) == 0, output.read_text()
        killed.check_end(whole.contents)
        count("kills survived: at every file operation of a run")
        count("runs compared bit for bit after kills")


def test_the_comparison_would_notice(server, undisturbed, tmp_path):
    """Another seed is another tree, and a cut file is not whole."""
    whole = undisturbed(TRAIN)
    other = tmp_path / "results"
    assert server.run([*TRAIN[:-1], "--seed", "1", "--results", str(other)], tmp_path / "output") == 0
    assert contents(other) != whole.contents
    (path,) = other.glob("runs/*/epochs.csv")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(AssertionError):
        check_whole(other)


@pytest.mark.slow
def test_two_sweeps_over_one_grid_both_finish(server, undisturbed, tmp_path, count):
    """Each waits for what the other trains; every run is trained once."""
    whole, folder = undisturbed(ALONE), tmp_path / "results"
    processes = {
        server.start([*ALONE, str(folder)], output := tmp_path / f"{n}.txt"): output for n in range(3)
    }
    for pid, output in processes.items():
        assert server.wait(pid) == 0, output.read_text()
    KilledFolder(folder, 4).check_end(whole.contents)
    for log in Path(folder).glob("runs/*/log.txt"):
        assert log.read_text().count(" starts: ") == 1
    count("sweeps over one grid at once", 3)
