"""Files on file systems that refuse what a local disk allows: modes, syncing, renaming, locks."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lossbench import files
from lossbench.errors import RunError
from lossbench.files import write_atomically
from lossbench.runs.store import Store

from .helpers.runs import run, small
from .helpers.studies import study_config, tune_in

CONFIG = small("softmax", epochs=1)


def refuse(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, code: int, times: float = float("inf")
) -> list[int]:
    """Make a function of the operating system fail `times` times; returns a list with an entry per call."""
    function, calls = getattr(module, name), []

    def refused(*arguments: Any, **options: Any) -> Any:
        calls.append(code)
        if len(calls) <= times:
            raise OSError(code, os.strerror(code))
        return function(*arguments, **options)

    monkeypatch.setattr(module, name, refused)
    return calls


@pytest.mark.parametrize("code", [errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_without_modes_is_written_to(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("chmod", "fchmod"):
        refuse(monkeypatch, os, name, code)
    assert run(CONFIG, tmp_path).status == "done"
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_that_cannot_sync_is_written_to(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refuse(monkeypatch, os, "fsync", code) == []
    assert run(CONFIG, tmp_path).status == "done"
    assert Store(tmp_path).run(CONFIG).result() is not None


def test_a_file_is_on_the_disk_before_its_name_is_and_then_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power failure could leave an empty file, or none where a command said that there is one."""
    sync, replace, done = os.fsync, os.replace, list[str]()

    def noted_sync(descriptor: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        sync(descriptor)

    def noted_replace(*paths: Any) -> None:
        done.append("name")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(os, "replace", noted_replace)
    write_atomically(tmp_path / "file", b"content")
    assert done == ["file", "name", "folder"]


def test_folders_are_made_and_no_descriptor_stays_open(tmp_path: Path) -> None:
    """A long sweep writes thousands of files in one process."""
    before = os.listdir("/dev/fd")
    write_atomically(tmp_path / "a" / "b" / "file", b"content")
    with files.folder_lock(tmp_path / "c" / "d"):
        assert (tmp_path / "c" / "d").is_dir()
    assert os.listdir("/dev/fd") == before


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_sync_that_fails_is_an_error(code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, os, "fsync", code)
    with pytest.raises(RunError, match=os.strerror(code)):
        write_atomically(tmp_path / "file", b"content")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EBUSY])
@pytest.mark.parametrize("times", [1, 3])
def test_a_rename_that_is_refused_for_a_moment_is_tried_again(
    code: int, times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows a scanner or an indexer may have a new file open."""
    calls = refuse(monkeypatch, os, "replace", code, times)
    write_atomically(tmp_path / "file", b"content")
    assert len(calls) == times + 1
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"content"]


def test_a_rename_that_stays_refused_is_an_error_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(files.time, "sleep", pauses.append)
    refuse(monkeypatch, os, "replace", errno.EACCES)
    with pytest.raises(RunError, match="Permission denied"):
        write_atomically(tmp_path / "file", b"content")
    assert list(tmp_path.iterdir()) == []
    assert 0.2 < sum(pauses) < 3


def test_other_failures_of_a_rename_are_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = refuse(monkeypatch, os, "replace", errno.ENOSPC)
    with pytest.raises(RunError):
        write_atomically(tmp_path / "file", b"content")
    assert len(calls) == 1


def test_a_file_is_readable_for_others(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", b"content")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def train(folder: Path) -> None:
    run(CONFIG, folder)


def search(folder: Path) -> None:
    tune_in(folder, study_config(), 1)


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL, errno.EIO])
@pytest.mark.parametrize("action", [train, search])
@pytest.mark.filterwarnings("error")  # filelock would use another kind of lock, with a warning
def test_a_file_system_without_locks_is_a_sentence_with_a_way_out(
    action: Callable[[Path], None], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, fcntl, "flock", code)
    with pytest.raises(RunError, match=r"no file locks.*--results") as caught:
        action(tmp_path / "results")
    assert "\n" not in str(caught.value)
    assert os.strerror(code) in str(caught.value)
    assert not list(tmp_path.rglob("*.tmp"))


def test_temporary_files_of_killed_writers_are_removed_and_no_others(tmp_path: Path) -> None:
    """Those of a writer that lives are locked; a file of anybody else has another name."""
    path = tmp_path / "figure [1].png"
    script = (
        "import os, signal, sys, pathlib\nfrom lossbench import files\n"
        "files.os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL if sys.argv[2] else signal.SIGSTOP)\n"
        "files.write_atomically(pathlib.Path(sys.argv[1]), b'content')"
    )
    others = [
        tmp_path / name for name in (".other.png.abcdefgh.tmp", "figure [1].png.tmp", ".figure [1].png.old")
    ]
    for other in others:
        other.touch()
    assert subprocess.run([sys.executable, "-c", script, path, "killed"]).returncode == -signal.SIGKILL
    alive = subprocess.Popen([sys.executable, "-c", script, path, ""])
    os.waitid(os.P_PID, alive.pid, os.WSTOPPED | os.WNOWAIT)
    try:
        (left,) = set(tmp_path.iterdir()) - set(others)  # the second writer removed that of the first
        write_atomically(path, b"content")
        assert set(tmp_path.iterdir()) == {*others, left, path}
    finally:
        alive.kill()
        alive.wait()
    write_atomically(path, b"more")
    assert set(tmp_path.iterdir()) == {*others, path}
    assert path.read_bytes() == b"more"


def test_many_writers_of_one_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: write_atomically(path, str(n).encode() * 10), range(100)))
    assert list(tmp_path.iterdir()) == [path]
