"""The only consoles: results to stdout, everything else to stderr."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import math
import os
import shlex
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    track,
)
from rich.status import Status as LoadingStatus
from rich.table import Column
from rich.table import Table as RichTable

from ..errors import LossbenchError
from ..files import to_json
from ..records import EpochRecord
from ..runs.config import RunConfig
from ..runs.result import RunResult, Status
from ..specs.quantities import format_value
from ..tables import Table, fit_columns, numeric_columns
from ._streams import is_terminal, printable

Item = TypeVar("Item")
_PIPE_WIDTH = 200  # a file or pipe has no width
_UNLIMITED = 10_000
_WIDE = 110  # from this width the bars of runs have longer texts
_STATE, _WIDE_STATE = 32, 60  # characters of `epoch 10/20  val 98.92 %  12 min left`, without and with more
_EPOCH_LINES = 20
results = Console(highlight=False, markup=False, emoji=False, width=_UNLIMITED)  # lines are broken here
messages = Console(stderr=True, highlight=False, markup=False, emoji=False)


class _Notes:
    """Whether messages and progress are shown (`--quiet` sets it for each command), and what is loading."""

    shown = True
    loading: LoadingStatus | None = None


def set_quiet(quiet: bool) -> None:
    """Show neither messages nor progress."""
    _Notes.shown = not quiet


@contextlib.contextmanager
def messages_shown(shown: bool) -> Iterator[None]:
    """Show messages and progress inside the block, or do not."""
    before, _Notes.shown = _Notes.shown, shown
    try:
        yield
    finally:
        _Notes.shown = before


def print_json(document: Mapping[str, object] | Sequence[Mapping[str, object]]) -> None:
    """One JSON document on stdout; NaN and infinity become null.

    The document, or each one of a list, has a `status`: `done` where it has none of its own.
    """
    done = {"status": Status.DONE.value}
    text = to_json(
        {**done, **document} if isinstance(document, Mapping) else [done | {**each} for each in document]
    )
    if printable(text, sys.stdout) != text:
        text = json.dumps(json.loads(text), indent=2) + "\n"
    with _writing():
        sys.stdout.write(text)
        sys.stdout.flush()


def print_text(text: str = "", style: str | None = None) -> None:
    """Text on stdout, broken between words; continued lines are indented like their first."""
    lines = []
    for line in printable(text, sys.stdout).split("\n"):
        indent = " " * (len(line) - len(line.lstrip()))
        wrapped = textwrap.wrap(
            line, _width(), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
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
    parts, left_out = fit_columns(table.map(lambda text: printable(text, sys.stdout)), _width())
    for part in parts:
        _print_lines(part)
    if left_out:
        print_message(f"Left out for want of width: {', '.join(left_out)}." + (f" {more}" if more else ""))


def print_pairs(pairs: Sequence[tuple[str, str]], title: str) -> None:
    """Names and values, two columns, on stdout."""
    print_text(title, style="bold")
    table = Table(["", ""], [[printable(text, sys.stdout) for text in pair] for pair in pairs])
    for part in fit_columns(table, _width())[0]:
        _print_lines(part, header=False)


def _print_lines(table: Table, *, header: bool = True) -> None:
    lines = RichTable(header_style="bold", show_header=header)
    for heading, numeric in zip(table.header, numeric_columns(table), strict=True):
        lines.add_column(heading, justify="right" if numeric and header else "left", no_wrap=True)
    for row in table.rows:
        lines.add_row(*row)
    with _writing():
        results.print(lines, soft_wrap=True)


def print_message(text: str) -> None:
    """A message for people, on stderr, unless `--quiet` was given."""
    if _Notes.shown:
        _print_stderr(text)


def print_warning(text: str) -> None:
    """A warning, on stderr."""
    _print_stderr(f"warning: {text}", style="yellow")


def print_error(text: str) -> None:
    """The sentence with which a command ends, on stderr."""
    _print_stderr(f"lossbench: {text}")


def _width() -> int:
    """How many characters a line of stdout has."""
    if (columns := os.environ.get("COLUMNS", "")).isdigit():
        return int(columns)
    return messages.width if is_terminal(sys.stdout) else _PIPE_WIDTH


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """Turn a failure to write to stdout, but for a reader that left, into a LossbenchError."""
    _end_loading()
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        # what is not written yet would fail once more when Python ends
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise LossbenchError(f"Standard output cannot be written: {error.strerror or error}.") from None


def _print_stderr(text: str, style: str | None = None) -> None:
    with contextlib.suppress(OSError):  # there is nowhere to report it
        messages.print(printable(text, sys.stderr), style=style, soft_wrap=True)


def show_progress(items: Sequence[Item], title: str) -> Iterable[Item]:
    """The items, with a bar on a terminal while they are worked on."""
    return track(items, title, console=messages, transient=True, disable=not _is_live())


def _is_live() -> bool:
    """Whether lines on stderr may be drawn over; FORCE_COLOR does not make a log a terminal. A notebook has
    bars where ipywidgets is installed, which rich needs for them."""
    if messages.is_jupyter:
        return _Notes.shown and importlib.util.find_spec("ipywidgets") is not None
    return _Notes.shown and messages.is_interactive and is_terminal(sys.stderr)


@contextlib.contextmanager
def show_loading(text: str) -> Iterator[None]:
    """Show a text on a terminal until something else is shown, or the block ends."""
    if _is_live():
        _Notes.loading = messages.status(text, spinner="line")
        _Notes.loading.start()
    try:
        yield
    finally:
        _end_loading()


def _end_loading() -> None:
    if _Notes.loading is not None:
        _Notes.loading.stop()
        _Notes.loading = None


def command_line() -> str:
    """The command as it was typed, for tables that say how they were made."""
    return shlex.join(["lossbench", *sys.argv[1:]])


class RunDisplay:
    """Live bars for the runs in progress on a terminal, else lines for finished epochs; an Observer.

    total_runs: 0 where it is not known, then epochs have no lines. seconds: about how long all runs take,
    where this is known. Of the epochs of several runs about `_EPOCH_LINES` have a line.
    """

    def __init__(self, total_runs: int = 1, seconds: float | None = None) -> None:
        self.live, self.total_runs, self.expected = _is_live(), total_runs, seconds
        wide = messages.width >= _WIDE
        self.wide, bar = wide, 24 if wide else 8
        self.name_width = max(8, messages.width - bar - (_WIDE_STATE if wide else _STATE) - 2)
        self.progress = Progress(
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(bar_width=bar),
            TextColumn(
                "{task.fields[state]}  {task.fields[left]}", markup=False, table_column=Column(no_wrap=True)
            ),
            console=messages,
            disable=not self.live,
            transient=messages.is_jupyter,  # else an empty box stays below the cell
        )
        self.tasks: dict[str, TaskID] = {}
        self.epochs: dict[str, tuple[int, int]] = {}
        """For each run its epochs and the steps of each."""
        self.began: float | None = None
        self.shares: dict[str, tuple[float, float]] = {}
        """For each run the parts of it that were done at its start here and are done now."""
        self.ended, self.stored = 0, 0
        self.overall: TaskID | None = None
        if total_runs > 1:
            self.overall = self.progress.add_task("runs", total=total_runs, state="", left="")

    def __enter__(self) -> RunDisplay:
        _end_loading()
        self.update_overall()
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:  # rich before 14.3 would end what it never showed with an empty line
            self.progress.stop()

    def started(self, run: str, epochs: int, steps: int, done: int) -> None:
        """A run begins, or continues after `done` steps."""
        self.began = self.began or time.monotonic()
        self.epochs[run] = epochs, steps
        self.shares[run] = done / (epochs * steps), done / (epochs * steps)
        self.close(run)
        name = run
        if len(run) > self.name_width:  # the id at the end stays whole
            loss, _, id_ = run.rpartition("-")
            name = f"{loss[: max(0, self.name_width - len(id_) - 4)]}...-{id_}"
        self.tasks[run] = self.progress.add_task(
            name, total=epochs * steps, completed=done, state="", left=""
        )
        self.progress.update(self.tasks[run], state=f"epoch {min(epochs, done // steps + 1)}/{epochs}")

    def stepped(self, run: str, steps: int) -> None:
        """So many steps of the run are done."""
        if self.live:
            epochs, of_epoch = self.epochs[run]
            self.shares[run] = self.shares[run][0], steps / (epochs * of_epoch)
            self.progress.update(self.tasks[run], completed=steps)
            self.update_overall()

    def finished_epoch(self, run: str, record: EpochRecord) -> None:
        """An epoch is over."""
        epochs, _ = self.epochs[run]
        accuracy = format_value("val_accuracy", record.val_accuracy, unit=True)
        state = f"epoch {record.epoch}/{epochs}"
        if self.wide or not self.live:
            state += f"  loss {record.loss:.4f}  val {accuracy}  {record.images_per_second:,.0f} images/s"
        else:
            state += f"  val {accuracy}"
        if self.live:
            self.progress.update(self.tasks[run], state=state)
        elif self.total_runs:
            every = 1 if self.total_runs == 1 else math.ceil(self.total_runs * epochs / _EPOCH_LINES)
            if record.epoch % every == 0:
                print_message(f"{run}: {state}")

    def finished_run(self, run: str, text: str, *, ended: bool = True) -> None:
        """A run is over, or `ended` says that it is not; its bar goes, a line stays."""
        self.close(run)
        self.ended += ended
        if run not in self.shares:
            self.stored += ended
        elif ended:
            self.shares[run] = self.shares[run][0], 1.0
        self.update_overall()
        print_message(text if text.startswith(run) else f"{run}: {text}")

    def close(self, run: str) -> None:
        """The bar of a run goes, if it has one."""
        if run in self.tasks:
            self.progress.remove_task(self.tasks.pop(run))

    def update_overall(self) -> None:
        """Show how many runs have ended, and the time that is left for all."""
        if not self.live:
            return
        left = self.seconds_left()
        text = "" if left is None else f"{duration_text(left)} left"
        if self.overall is None:
            for task in self.tasks.values():
                self.progress.update(task, left=text)
            return
        state = f"{self.ended}/{self.total_runs}"
        self.progress.update(self.overall, completed=self.ended, state=state, left=text)

    def seconds_left(self) -> float | None:
        """From the part of all that was done here; before there is enough of it, as estimated."""
        if not self.total_runs:
            return None
        elapsed = 0.0 if self.began is None else time.monotonic() - self.began
        done = sum(now - before for before, now in self.shares.values())
        whole = self.total_runs - self.stored - sum(before for before, _ in self.shares.values())
        if done > 0.02 * whole and elapsed > 1:
            return elapsed * max(0.0, whole - done) / done
        return None if self.expected is None else max(0.0, self.expected - elapsed)


def duration_text(seconds: float) -> str:
    """A duration in seconds, minutes or hours."""
    for size, unit in ((1, "s"), (60, "min")):
        if seconds < 100 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 3600:.1f} h"


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
