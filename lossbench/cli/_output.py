"""The only consoles: results to stdout, everything else to stderr."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import shlex
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table as RichTable

from ..files import to_json
from ..runs.result import Status
from ..tables import Table, fit_columns, numeric_columns
from ._flags import DEFAULT_RESULTS
from ._streams import document_stream, drop_output, is_terminal, printable

if TYPE_CHECKING:
    from rich.status import Status as LoadingStatus

    from ..runs.config import RunConfig
    from ..runs.result import RunResult

_PIPE_WIDTH = 200  # a file or pipe has no width
_UNLIMITED = 10_000


class _Console(Console):
    """A console whose reader may leave without ending the program."""

    def on_broken_pipe(self) -> None:
        """Called by rich where it caught a BrokenPipeError."""
        raise BrokenPipeError


results = _Console(highlight=False, markup=False, emoji=False, width=_UNLIMITED)  # lines are broken here
messages = _Console(stderr=True, highlight=False, markup=False, emoji=False)


_SUGGESTED = re.compile(r"`(lossbench (?:train|compare|sweep|tune|reproduce|report)\b[^`\n]*)`")


class _State:
    """What holds for the command that runs now.

    shown: whether messages and progress are shown. folders: the folders that were given, by option. loading:
    the text of `show_loading`.
    """

    shown = True
    folders: Mapping[str, Path] = {}
    loading: LoadingStatus | None = None


def set_quiet(quiet: bool) -> None:
    """Show neither messages nor progress."""
    _State.shown = not quiet


def set_folders(results: Path | None, data_dir: Path | None) -> None:
    """The folders that were given to the command; None where it has no such option."""
    given = {"--results": None if results == DEFAULT_RESULTS else results, "--data-dir": data_dir}
    _State.folders = {flag: folder for flag, folder in given.items() if folder is not None}


def with_folders(text: str) -> str:
    """A message in which the commands that it suggests name the folders that were given to this one. The
    sentences come from all packages, which do not know of these options."""

    def complete(command: re.Match[str]) -> str:
        missing = [(flag, folder) for flag, folder in _State.folders.items() if f" {flag} " not in command[1]]
        if command[1].startswith("lossbench report"):
            missing = [(flag, folder) for flag, folder in missing if flag == "--results"]
        return f"`{' '.join([command[1], *(f'{flag} {shlex.quote(str(f))}' for flag, f in missing)])}`"

    return _SUGGESTED.sub(complete, text)


@contextlib.contextmanager
def messages_shown(shown: bool) -> Iterator[None]:
    """Show messages and progress inside the block, or do not."""
    before, _State.shown = _State.shown, shown
    try:
        yield
    finally:
        _State.shown = before


def print_json(document: Mapping[str, object] | Sequence[Mapping[str, object]]) -> None:
    """One JSON document on stdout; NaN and infinity become null.

    The document, or each one of a list, has a `status`: `done` where it has none of its own.
    """
    done = {"status": Status.DONE.value}
    text = to_json(
        {**done, **document} if isinstance(document, Mapping) else [done | {**each} for each in document]
    )
    stream = document_stream()
    if printable(text, stream) != text:
        text = json.dumps(json.loads(text), indent=2) + "\n"
    with _writing():
        stream.write(text)
        stream.flush()


def print_text(text: str = "", style: str | None = None) -> None:
    """Text on stdout, broken between words; continued lines are indented like their first."""
    lines = []
    width = line_width()
    for line in printable(text, sys.stdout).split("\n"):
        indent = " " * (len(line) - len(line.lstrip()))
        if len(line) > width:
            indent = indent[: width // 2]
        wrapped = textwrap.wrap(
            line.lstrip(),
            width,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        lines += wrapped or [""]
    with _writing():
        results.print("\n".join(lines), style=style, soft_wrap=True)


def print_table(table: Table, title: str = "", more: str = "") -> None:
    """A table on stdout, numbers to the right.

    Where it is too wide, columns that it may do without are left out, and `more` says where they are; else
    each row becomes a column. Numbers and ids are never broken.
    """
    if title:
        print_text(title, style="bold")
    parts, left_out = fit_columns(table.map(lambda text: printable(text, sys.stdout)), line_width())
    for part in parts:
        _print_lines(part)
    if left_out:
        print_message(f"Left out to fit the line: {', '.join(left_out)}." + (f" {more}" if more else ""))


def print_pairs(pairs: Sequence[tuple[str, str]], title: str) -> None:
    """Names and values on stdout: two columns, or where one is too long for that, a line for each."""
    print_text(title, style="bold")
    table = Table(["", ""], [[printable(text, sys.stdout) for text in pair] for pair in pairs])
    parts = fit_columns(table, line_width())[0]
    if parts[0].header == table.header:
        _print_lines(parts[0], header=False)
        return
    for name, text in pairs:
        print_text(f"{name}: {text}")


def _print_lines(table: Table, *, header: bool = True) -> None:
    lines = RichTable(show_header=header)
    for heading, numeric in zip(table.header, numeric_columns(table), strict=True):
        lines.add_column(heading, justify="right" if numeric and header else "left", no_wrap=True)
    for row in table.rows:
        lines.add_row(*row)
    with _writing():
        results.print(lines, soft_wrap=True)


def print_message(text: str) -> None:
    """A message for people, on stderr, unless `--quiet` was given."""
    if _State.shown:
        _print_stderr(with_folders(text))


def print_warning(text: str) -> None:
    """A warning, on stderr."""
    _print_stderr(f"warning: {text}", style="yellow")


def print_error(text: str) -> None:
    """The sentence with which a command ends, on stderr."""
    _print_stderr(f"lossbench: {with_folders(text)}")


def line_width() -> int:
    """How many characters a line of stdout has."""
    if (columns := os.environ.get("COLUMNS", "")).isdigit():
        return int(columns)
    return messages.width if is_terminal(sys.stdout) else _PIPE_WIDTH


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """Go on where stdout cannot be written, as after a reader that left: files are written all the same."""
    end_loading()
    try:
        yield
    except OSError as error:
        drop_output(error)


def _print_stderr(text: str, style: str | None = None) -> None:
    with contextlib.suppress(OSError):  # there is nowhere to report it
        messages.print(printable(text, sys.stderr), style=style, soft_wrap=True)


def is_live() -> bool:
    """Whether lines on stderr may be drawn over; FORCE_COLOR does not make a log a terminal. A notebook has
    bars where ipywidgets is installed, which rich needs for them."""
    if messages.is_jupyter:
        return _State.shown and importlib.util.find_spec("ipywidgets") is not None
    return _State.shown and messages.is_interactive and is_terminal(sys.stderr)


@contextlib.contextmanager
def show_loading(text: str) -> Iterator[None]:
    """Show a text on a terminal until something else is shown, or the block ends."""
    if is_live():
        _State.loading = messages.status(text, spinner="line")
        _State.loading.start()
    try:
        yield
    finally:
        end_loading()


def end_loading() -> None:
    """Remove the text of `show_loading`."""
    if _State.loading is not None:
        _State.loading.stop()
        _State.loading = None


def command_line() -> str:
    """The command as it was typed, for tables that say how they were made."""
    return shlex.join(["lossbench", *sys.argv[1:]])


def settings_document(config: RunConfig) -> dict[str, Any]:
    """What is trained: loss, its settings by `loss.name`, and seed."""
    settings: dict[str, object] = {}
    for term in config.terms:
        settings |= {f"{term.name}.lambda": term.weight} if term.has_weight or term.weight != 1 else {}
        settings |= {f"{term.name}.{key}": value for key, value in term.settings}
    return {"loss_name": config.loss, "settings": settings, "seed": config.seed}


def run_document(
    config: RunConfig, path: object, status: Status, result: RunResult | None = None, reason: str = ""
) -> dict[str, Any]:
    """A run as `--json` prints it: what it is, what became of it and why, and its result where it has one.

    `loss` is the mean training loss, as in result.json; `loss_name` is what was trained.
    """
    return {
        "run": config.run_name,
        "path": str(path),
        **settings_document(config),
        "loss": None,
        **(result.to_dict() if result else {}),
        "status": status.value,
        "reason": reason or None,
    }
