"""The progress of runs, and of other work: bars on a terminal, lines in a log; on stderr."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from concurrent.futures import Future, wait

from rich.progress import BarColumn, Progress, TaskID, TextColumn, track
from rich.table import Column

from ..records import EpochRecord, Result
from ..specs.quantities import format_value
from ._output import end_loading, is_live, messages, print_message

_LONG = 2.0  # seconds: of what takes longer a log has a line
_WIDE = 110  # from this width the bars of runs have longer texts
_STATE, _WIDE_STATE = 32, 60  # characters of `epoch 10/20  val 98.92 %  12 min left`, without and with more
_EPOCH_LINES = 20


def wait_for_metrics(runs: Sequence[Future[Result]]) -> list[Result]:
    """The results, with a bar on a terminal until the metrics of all runs are measured."""
    if not is_live() and (left := wait(runs, timeout=_LONG).not_done):
        print_message(f"Measuring metrics of {len(left)} {'runs' if len(left) > 1 else 'run'}.")
    shown = track(runs, "metrics", console=messages, transient=True, disable=not is_live())
    return [run.result() for run in shown]


class RunDisplay:
    """Live bars for the runs in progress on a terminal, else lines for finished epochs; an Observer.

    total_runs: 0 where it is not known, then epochs have no lines. seconds: about how long all runs take,
    where this is known. Of the epochs of several runs about `_EPOCH_LINES` have a line.
    """

    def __init__(self, total_runs: int = 1, seconds: float | None = None) -> None:
        self.live, self.total_runs, self.expected = is_live(), total_runs, seconds
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
        end_loading()
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
        """How many steps of the run are done."""
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
            state += f"  loss {record.loss:#.5g}  val {accuracy}  {record.images_per_second:,.0f} images/s"
        else:
            state += f"  val {accuracy}"
        if self.live:
            self.progress.update(self.tasks[run], state=state)
        elif self.total_runs:
            every = 1 if self.total_runs == 1 else math.ceil(self.total_runs * epochs / _EPOCH_LINES)
            if record.epoch % every == 0:
                print_message(f"{run}: {state}")

    def finished_run(self, run: str, text: str, *, ended: bool = True) -> None:
        """A run is over, or `ended` says that it is not; its bar goes, a line stays if there is a text."""
        self.close(run)
        self.ended += ended
        if run not in self.shares:
            self.stored += ended
        elif ended:
            self.shares[run] = self.shares[run][0], 1.0
        self.update_overall()
        if text:
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
