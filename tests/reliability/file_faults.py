"""File operations that fail, or after which nothing happens any more, chosen by their number."""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

WATCHED = ("open", "mkdir", "fsync", "chmod", "replace", "unlink")


class Operations:
    """Counts what a process does to files below a folder; the n-th time something else happens.

    `late`: the operation is done all the same before that, as a network file system may do it whose answer
    got lost. A write is torn: half of it arrives.
    """

    def __init__(self, folder: Path, number: int, instead: Callable[[], None], late: bool = False) -> None:
        self.folder, self.number, self.instead, self.late = str(folder), number, instead, late
        self.done: list[str] = []
        self.before: list[tuple[Any, str, Any]] = []

    def install(self) -> None:
        for name in WATCHED:
            self._wrap(os, name)
        self._wrap(tempfile, "mkstemp")
        self.before.append((os, "fdopen", os.fdopen))
        os.fdopen = functools.partial(self._opened, os.fdopen)

    def remove(self) -> None:
        while self.before:
            module, name, function = self.before.pop()
            setattr(module, name, function)

    def _wrap(self, module: Any, name: str) -> None:
        function = getattr(module, name)
        self.before.append((module, name, function))

        @functools.wraps(function)
        def wrapped(*arguments: Any, **options: Any) -> Any:
            if not self._is_ours(arguments, options):
                return function(*arguments, **options)
            return self.happens(name, functools.partial(function, *arguments, **options))

        setattr(module, name, wrapped)

    def happens(self, name: str, action: Callable[[], Any]) -> Any:
        self.done.append(name)
        if len(self.done) != self.number:
            return action()
        if self.late:
            action()
        self.instead()
        return action()

    def _is_ours(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> bool:
        named = [a for a in (*arguments, *options.values()) if isinstance(a, str | os.PathLike)]
        if arguments and isinstance(arguments[0], int):  # a descriptor
            with contextlib.suppress(OSError):
                named.append(os.readlink(f"/proc/self/fd/{arguments[0]}"))
        return any(str(path).startswith(self.folder) for path in named)

    def _opened(self, fdopen: Callable[..., Any], handle: int, *arguments: Any, **options: Any) -> Any:
        ours = self._is_ours((handle,), {})
        file = fdopen(handle, *arguments, **options)
        return _Torn(file, self) if ours else file


class _Torn:
    """A file half of whose n-th write arrives."""

    def __init__(self, file: Any, operations: Operations) -> None:
        self.file, self.operations = file, operations

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def __enter__(self) -> _Torn:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def write(self, content: Any) -> Any:
        half = len(content) // 2
        self.file.write(content[:half])
        return self.operations.happens("write", lambda: self.file.write(content[half:]))


@contextlib.contextmanager
def watched(operations: Operations) -> Iterator[Operations]:
    operations.install()
    try:
        yield operations
    finally:
        operations.remove()
