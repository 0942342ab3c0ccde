"""The only consoles: results to stdout, everything else to stderr."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    track,
)
from rich.table import Table as RichTable

from ..files import to_json
from ..records import EpochRecord
from ..runs.result import RunResult
from ..specs.quantities import format_value
from ..tables import is_number

if TYPE_CHECKING:
    from ..tables import Table

Item = TypeVar("Item")
_PIPE_WIDTH = 200  # a file or pipe has no width: wide enough that no cell is broken
results = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
messages = Console(stderr=True, highlight=False)


def print_json(document: object) -> None:
    """One JSON document on stdout; NaN and infinity become null."""
    sys.stdout.write(to_json(document))


def print_table(table: Table, title: str = "") -> None:
    """A table on stdout; numbers to the right."""
    shown = RichTable(title=title or None, title_justify="left", title_style="bold", header_style="bold")
    for number, heading in enumerate(table.header):
        numeric = all(is_number(row[number]) for row in table.rows)
        shown.add_column(heading, justify="right" if numeric else "left", overflow="fold")
    for row in table.rows:
        shown.add_row(*row)
    results.print(shown)


def print_pairs(pairs: Sequence[tuple[str, str]], title: str) -> None:
    """Names and values, two columns, on stdout."""
    shown = RichTable(title=title, title_justify="left", title_style="bold", show_header=False)
    shown.add_column(style="bold")
    shown.add_column(overflow="fold")
    for name, value in pairs:
        shown.add_row(name, value)
    results.print(shown)


def print_message(text: str) -> None:
    """A message for people, on stderr."""
    messages.print(text, markup=False, soft_wrap=True)


def print_warning(text: str) -> None:
    """A warning, on stderr."""
    messages.print(f"warning: {text}", style="yellow", markup=False, soft_wrap=True)


def show_progress(items: Sequence[Item], title: str) -> Iterable[Item]:
    """The items, with a bar on a terminal while they are worked on."""
    return track(items, title, console=messages, transient=True, disable=not messages.is_terminal)


def command_line() -> str:
    """The command as it was typed, for tables that say how they were made."""
    return shlex.join(["lossbench", *sys.argv[1:]])


class RunDisplay:
    """Live bars for the runs in progress on a terminal, else one line per finished epoch; an Observer."""

    def __init__(self, total_runs: int = 1) -> None:
        self.live = messages.is_terminal
        self.progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
            console=messages,
            disable=not self.live,
        )
        self.tasks: dict[str, TaskID] = {}
        self.epochs: dict[str, int] = {}
        self.overall: TaskID | None = None
        if total_runs > 1:
            self.overall = self.progress.add_task("runs", total=total_runs, state="")

    def __enter__(self) -> RunDisplay:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:  # rich before 14.3 would end what it never showed with an empty line
            self.progress.stop()

    def started(self, run: str, epochs: int, steps: int, done: int) -> None:
        """A run begins, or continues after `done` steps."""
        self.epochs[run] = epochs
        self.close(run)
        self.tasks[run] = self.progress.add_task(run, total=epochs * steps, completed=done, state="")

    def stepped(self, run: str, steps: int) -> None:
        """So many steps of the run are done."""
        if self.live:
            self.progress.update(self.tasks[run], completed=steps)

    def finished_epoch(self, run: str, record: EpochRecord) -> None:
        """An epoch is over."""
        accuracy = format_value("val_accuracy", record.val_accuracy, unit=True)
        state = (
            f"epoch {record.epoch}/{self.epochs[run]}  loss {record.loss:.4f}  val {accuracy}  "
            f"{record.images_per_second:,.0f} images/s"
        )
        if self.live:
            self.progress.update(self.tasks[run], state=state)
        else:
            print_message(f"{run}: {state}")

    def finished_run(self, run: str, text: str) -> None:
        """A run is over; its bar goes, a line stays."""
        self.close(run)
        if self.overall is not None:
            self.progress.advance(self.overall)
        print_message(f"{run}: {text}")

    def close(self, run: str) -> None:
        """The bar of a run goes, if it has one."""
        if run in self.tasks:
            self.progress.remove_task(self.tasks.pop(run))


def result_document(result: RunResult, path: str, *, whole: bool = True) -> dict[str, Any]:
    """A run's result with the place of its files, as `--json` prints it; only its status unless `whole`."""
    data = result.to_dict() if whole else {"status": result.status.value}
    return {"run": result.run, "path": path, **data}
