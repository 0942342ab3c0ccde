"""A disk that fails at any moment: one sentence, nothing half-written, and the same command goes on."""

from __future__ import annotations

import contextlib
import datetime as clocks
import errno
import functools
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import pytest

from lossbench.errors import LossbenchError, RunError
from lossbench.runs import run_folder
from lossbench.runs.store import Store

from ..helpers.runs import Recorder, run, small
from ..runs.test_store import as_ordinary_user, full_disk
from .file_faults import Operations, watched
from .results_folders import check_ended, check_whole, contents

CONFIG = small("center", epochs=2, batch_size=50, unseen="2,3,4,5,6,7,8,9")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What the run leaves, and how many file operations it does."""
    folder = tmp_path_factory.mktemp("whole")
    with watched(Operations(folder, 0, lambda: None)) as made:
        run(CONFIG, folder)
    seen = {"open", "mkstemp", "write", "fsync", "chmod", "replace"}
    if sys.version_info >= (3, 11):  # pathlib of 3.10 took os.unlink before it was watched
        seen.add("unlink")
    assert seen <= set(made.done)
    return contents(folder), len(made.done)


def broken(number):
    def fail():
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize(
    ("fault", "late", "every"),
    [
        (errno.ENOSPC, False, 9),
        pytest.param(errno.ENOSPC, False, 1, marks=pytest.mark.slow),
        pytest.param(errno.EIO, False, 1, marks=pytest.mark.slow),
        pytest.param(errno.ESTALE, True, 1, marks=pytest.mark.slow),  # done, and yet reported as failed: NFS
        pytest.param(errno.ENOENT, True, 1, marks=pytest.mark.slow),
    ],
)
def test_every_file_operation_may_fail(tmp_path, whole, count, fault, late, every):
    wanted, total = whole
    for number in range(1, total + 1, every):
        folder = tmp_path / str(number)
        with watched(Operations(folder, number, broken(fault), late)) as made:
            try:
                run(CONFIG, folder)
            except LossbenchError as error:
                assert "\n" not in str(error)
        assert len(made.done) >= number
        check_whole(folder)
        run(CONFIG, folder)
        check_ended(folder, 1)
        assert contents(folder) == wanted, (number, made.done[number - 1])
        shutil.rmtree(folder)
        count("faults injected into file operations")


class AfterFirstEpoch(Recorder):
    """Does something after the first epoch."""

    def __init__(self, action):
        super().__init__()
        self.action = action

    def finished_epoch(self, run, record):
        if record.epoch == 1:
            self.action()


def run_with_fault(folder, action, match):
    with pytest.raises(RunError, match=match) as caught:
        run(CONFIG, folder, AfterFirstEpoch(action))
    assert "\n" not in str(caught.value)


def test_a_folder_that_vanishes_is_a_sentence_and_comes_back_whole(tmp_path, whole, count):
    for number, victim in enumerate(("results", "results/runs", f"results/runs/{CONFIG.run_name}")):
        root = tmp_path / str(number)
        action = functools.partial(shutil.rmtree, root / victim)
        run_with_fault(root / "results", action, "was moved or deleted meanwhile")
        run(CONFIG, root / "results")
        check_ended(root / "results", 1)
        assert contents(root / "results") == whole[0]
        count("folders that vanished or closed")


def test_a_folder_that_is_moved_is_left_as_it_is(tmp_path, whole):
    run_with_fault(tmp_path / "a", lambda: (tmp_path / "a").rename(tmp_path / "b"), "was moved or deleted")
    assert not list((tmp_path / "a").rglob("*.*"))
    run(CONFIG, tmp_path / "b")
    assert contents(tmp_path / "b") == whole[0]


def test_a_folder_that_becomes_read_only(whole, count):
    root = Path(tempfile.mkdtemp())  # tmp_path is closed to other users
    os.chmod(root, 0o777)
    with as_ordinary_user():
        path = Store(root / "results").run(CONFIG).path
        run_with_fault(root / "results", lambda: path.chmod(0o555), "cannot be written: Permission denied")
        check_whole(root)
        path.chmod(0o755)
        run(CONFIG, root / "results")
    check_ended(root / "results", 1)
    assert contents(root / "results") == whole[0]
    shutil.rmtree(root)
    count("folders that vanished or closed")


def test_a_disk_that_fills_up_and_is_freed(tmp_path, whole, count):
    """A real file system, filled to the brim after the first epoch."""
    with full_disk(tmp_path / "disk", "3m") as disk:

        def fill():
            with contextlib.suppress(OSError), (disk / "ballast").open("wb", 0) as ballast:
                while True:
                    ballast.write(bytes(4096))

        run_with_fault(disk / "results", fill, "No space left on device")
        check_whole(disk / "results")
        (disk / "ballast").unlink()
        run(CONFIG, disk / "results")
        check_ended(disk / "results", 1)
        assert contents(disk / "results") == whole[0]
        count("disks filled")


def test_a_clock_that_jumps_changes_no_result(tmp_path, whole, monkeypatch, count):
    """Years forth and back at every look; the steady clock goes on."""
    chance, look = random.Random(3), time.time

    class Jumping(clocks.datetime):
        @classmethod
        def now(cls, tz=None):
            count("clock jumps")
            return clocks.datetime.fromtimestamp(jumped(), tz)

    def jumped():
        return look() + chance.uniform(-1e9, 1e9)

    monkeypatch.setattr(time, "time", jumped)
    monkeypatch.setattr(run_folder, "datetime", Jumping)
    monkeypatch.setattr("lossbench.training.trainer.datetime", Jumping)
    result = run(CONFIG, tmp_path)
    assert 0 < result.seconds < 600
    for path in tmp_path.rglob("*"):
        os.utime(path, (chance.uniform(-1e9, 4e9),) * 2)
    check_ended(tmp_path, 1)
    assert contents(tmp_path) == whole[0]
    again = Recorder()
    run(CONFIG, tmp_path, again)
    assert again.steps == 0
