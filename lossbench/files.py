"""Files that are whole or not there: written beside their place, synced, renamed; checked when read."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import math
import os
import re
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from .errors import RunError, first_line, shown

if TYPE_CHECKING:
    import numpy as np
    from filelock import FileLock

_NOT_SUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
_BUSY = {errno.EACCES, errno.EPERM, errno.EBUSY}
_PAUSES = (0.02, 0.1, 0.3, 0.6)  # seconds between attempts
_LONGEST_NAME = 150  # characters; most file systems allow 255 bytes, ending included


def slug(text: str) -> str:
    """A text, such as the name of a loss, as part of a file name on any system: a-z, 0-9, `+` and `-`; a
    long one is cut, and ends in a checksum."""
    name = re.sub(r"[^a-z0-9+-]+", "-", text.lower()).strip("-")
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}-{zlib.crc32(text.encode()):08x}"


def check_folder(folder: Path) -> None:
    """Raise RunError where something other than a folder is in its place, or in that of one above it."""
    existing = next(filter(os.path.lexists, (folder, *folder.parents)))
    if not existing.is_dir():  # also a link that leads nowhere
        raise RunError(f"{shown(existing)} is not a folder.")


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns an OSError inside the block into a RunError: that this file or folder cannot be written."""
    try:
        yield
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}.") from None


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path` so that a reader sees all of it or the old file. Raises RunError."""
    temporary = lock = None
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _drop_abandoned(path)
            handle, temporary, lock = _temporary_file(path)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                _sync(file.fileno())
            with contextlib.suppress(OSError):  # network and FAT file systems have no modes
                os.chmod(temporary, 0o644)  # mkstemp's files are private, results are for sharing
            _retry(os.replace, temporary, path)
            temporary = None
            _sync_folder(path.parent)
    finally:
        if lock is not None:
            os.close(lock)
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _temporary_file(path: Path) -> tuple[int, str, int | None]:
    """A new file beside another one: descriptor, path, and what `_lock` returns for it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    lock = _lock(handle, wait=True)
    if lock is None or os.path.lexists(temporary):
        return handle, temporary, lock
    os.close(handle)  # another writer removed it before it was locked
    os.close(lock)
    return _temporary_file(path)


def _lock(descriptor: int, *, wait: bool) -> int | None:
    """A copy of a descriptor that keeps its file locked until it is closed; None where that is impossible."""
    with contextlib.suppress(ImportError, OSError):  # Windows has no such locks, nor have some file systems
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.dup(descriptor)
    return None


def _drop_abandoned(path: Path) -> None:
    """Remove temporary files of this file that no process has locked: their writers were killed."""
    with contextlib.suppress(OSError), os.scandir(path.parent) as entries:
        for entry in entries:
            if not (entry.name.startswith(f".{path.name}.") and entry.name.endswith(".tmp")):
                continue
            descriptor = os.open(entry.path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
            lock = _lock(descriptor, wait=False)
            os.close(descriptor)
            if lock is not None:
                os.unlink(entry.path)
                os.close(lock)


def _sync(descriptor: int) -> None:
    """Wait until a file is on the disk; not an error where the file system cannot."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:
            raise


def _retry(action: Callable[..., None], *paths: str | Path) -> None:
    """Call a file operation, again if it is refused: a virus scanner or an indexer may have the file open."""
    for pause in _PAUSES:
        try:
            return action(*paths)
        except OSError as error:
            if error.errno not in _BUSY:
                raise
            time.sleep(pause)
    return action(*paths)


def remove_file(path: Path) -> None:
    """Remove a file if it exists."""
    with contextlib.suppress(FileNotFoundError):
        _retry(os.unlink, path)


def file_lock(path: Path, timeout: float = -1) -> FileLock:
    """A lock that the operating system frees when its owner dies, however it dies.

    To acquire it raises `filelock.Timeout` after `timeout` seconds; -1 waits without end. Raises RunError
    where the file system has no such locks: a lock of another kind would stay when its owner is killed.
    """
    from filelock import FileLock

    try:
        import fcntl
    except ImportError:  # Windows has locks on all its file systems
        return FileLock(path, timeout=timeout)
    with tempfile.TemporaryFile(dir=path.parent) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunError(
                f"The file system of {path.parent} has no file locks ({error.strerror}); "
                "choose a folder on another one with --results."
            ) from None
    return FileLock(path, timeout=timeout)


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Make a folder, and keep other processes that ask for its lock waiting; no file is left in it.

    There is no such lock on Windows and on some network file systems. Raises RunError.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY) if os.name == "posix" else None
    try:
        if descriptor is not None:
            import fcntl

            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def drop_leftovers(folder: Path) -> None:
    """Remove temporary files of killed writers from a folder that no other process writes to now."""
    for path in folder.glob(".*.tmp"):
        with contextlib.suppress(OSError):
            path.unlink()


def refuse_links(folder: Path) -> None:
    """Raise RunError if a folder of ours or anything in it leads elsewhere: writing would write there."""
    if folder.is_symlink():
        raise RunError(f"{folder} is a link; lossbench makes none here and follows none.")
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink():
                raise RunError(f"{entry.path} is a link; lossbench makes none here and follows none.")


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # some file systems cannot sync a folder
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def plain(value: Any) -> Any:
    """Plain data for JSON: named tuples become dictionaries."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


def to_json(data: object) -> str:
    """JSON for people: indented, keys in the given order; NaN and infinity become null."""
    return json.dumps(_finite(data), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(data: object) -> object:
    if isinstance(data, float) and not math.isfinite(data):
        return None
    if isinstance(data, Mapping):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return data


def read_bytes(path: Path, absent: tuple[type[OSError], ...] = (FileNotFoundError,)) -> bytes | None:
    """The content of a file, None when it is absent. Raises RunError for one that cannot be read."""
    try:
        return path.read_bytes()
    except absent:
        return None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}.") from None


def read_json(path: Path) -> Any:
    """The content of a JSON file, None when there is none. Raises RunError for one that is cut or altered."""
    content = read_bytes(path, (FileNotFoundError, NotADirectoryError))
    if content is None:
        return None
    try:
        data = json.loads(content.decode())
    except UnicodeDecodeError as error:
        raise RunError(f"{path} cannot be read ({error}).") from None
    except (ValueError, RecursionError):
        data = None
    if data is None:  # also a file that says null: None means that there is no file
        raise RunError(f"{path} is not valid JSON; it was cut short or changed by hand.")
    return data


def refuse_packed(file: BinaryIO, size: int) -> None:
    """Raise ValueError for a zip archive that would be larger in memory than its `size` in bytes."""
    with zipfile.ZipFile(file) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > size:
            raise ValueError("its content is packed, which lossbench never does")


def npz_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays as `read_arrays` reads them; the same arrays are the same bytes."""
    import numpy as np

    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    return content.getvalue()


def read_arrays(path: Path, *needed: str) -> dict[str, np.ndarray]:
    """The arrays of a file that `numpy.savez` wrote. Raises RunError for one that cannot be read, lacks a
    needed array, or would be larger in memory than on disk."""
    import numpy as np

    try:
        with path.open("rb") as file:
            refuse_packed(file, path.stat().st_size)
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in (*needed, *arrays.files)}
    except FileNotFoundError as error:
        raise RunError(
            f"{path} cannot be read: {error.strerror}; train the run again with --force."
        ) from None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}.") from None
    except Exception as error:  # a damaged archive fails in many ways, in numpy, zipfile and zlib
        raise RunError(
            f"{path} cannot be read ({first_line(error)}); train the run again with --force."
        ) from None
