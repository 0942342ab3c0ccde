"""Which stored runs a command shows: those named, or those that suit a figure."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

from ..errors import RunError
from ..runs.config_builder import make_config
from ..runs.result import Status
from ..specs import catalog
from ._options import Storage, flag
from ._output import print_warning

if TYPE_CHECKING:
    from ..runs.config import RunConfig
    from ..runs.store import RunFolder, Store
    from ..runs.stored_run import StoredRun

Runs = Annotated[
    list[str] | None, flag("--run", "A run by name, id or their beginning; repeatable (default: by --loss).")
]
Losses = Annotated[
    str | None,
    flag("--loss", "Losses that are shown, separated by commas (default: the figure's)."),
]


def select_runs(
    store: Store,
    names: Sequence[str] | None,
    losses: str | None,
    which: str,
    data_dir: Path | None = None,
    *,
    snapshots: bool = False,
) -> list[StoredRun]:
    """The named runs; else those of the losses (None: any) that `which` says, see FigureSpec.default, and
    with `snapshots` only those that have them. Raises UsageError or RunError."""
    from ..runs.stored_run import StoredRun, UntrainedRun

    if names:
        return [StoredRun(store.find(name), data_dir) for name in names]
    loss_names = [name.strip() for name in losses.split(",")] if losses else None
    if which == "untrained":
        configs = [make_config(loss=name) for name in loss_names or catalog.names("losses")]
        return [cast("StoredRun", UntrainedRun(config)) for config in configs]
    runs, problems = store.all()
    for problem in problems:
        print_warning(problem)
    done = [
        run
        for run in runs
        if (loss_names is None or run.config.loss in loss_names)
        and (result := run.result()) is not None
        and result.status is Status.DONE
        and (run.has_snapshots or not snapshots)
    ]
    if not done:
        what = f"finished run{f' of {losses}' if losses else ''}{' with snapshots' if snapshots else ''}"
        command = f"lossbench compare{' --snapshots 30' if snapshots else ''}"
        raise RunError(f"There is no {what} in {store.runs}; `{command}` makes some.")
    return [StoredRun(run, data_dir) for run in _pick(done, loss_names, which)]


def _pick(done: Sequence[RunFolder], losses: Sequence[str] | None, which: str) -> list[RunFolder]:
    """Of finished runs, oldest first, those that `which` says, in the order of the losses."""
    newest = done[-1].config
    if which == "newest" and losses is None:
        return [done[-1]]
    if which == "all":
        names = losses or [newest.loss]
        runs = [run for run in done if run.config.dataset == newest.dataset and run.config.loss in names]
        return sorted(runs, key=lambda run: (names.index(run.config.loss), _settings(run), run.config.seed))
    if which == "every":
        runs = max(_by_conditions(done), key=len)
        return sorted(runs, key=lambda run: (run.config.loss, _settings(run), run.config.seed))
    # one of each loss, where possible of the conditions under which most of the losses were trained
    comparable = max(_by_conditions(done), key=lambda runs: len({run.config.loss for run in runs}))
    last = {run.config.loss: run for run in [*done, *comparable]}
    runs = [last[name] for name in losses or [comparable[-1].config.loss] if name in last]
    if which == "seeds":
        settings = [_without_seed(run.config) for run in runs]
        runs = [run for run in done if _without_seed(run.config) in settings]
        return sorted(runs, key=lambda run: (settings.index(_without_seed(run.config)), run.config.seed))
    return runs


def _by_conditions(done: Sequence[RunFolder]) -> list[list[RunFolder]]:
    """Runs that differ in nothing but loss and seed, together; those with the newest run first."""
    # losses on pairs draw batches of their own kind
    batches: dict[str, Any] = {"sampler": "", "batch_size": 0, "classes_per_batch": 0, "samples_per_class": 0}
    groups: dict[RunConfig, list[RunFolder]] = {}
    for run in done:
        key = dataclasses.replace(run.config, terms=(), seed=0, **batches)
        groups.setdefault(key, []).append(run)
    return sorted(groups.values(), key=lambda runs: -done.index(runs[-1]))


def _without_seed(config: RunConfig) -> RunConfig:
    return dataclasses.replace(config, seed=0)


def _settings(run: RunFolder) -> list[tuple[object, ...]]:
    return [(term.weight, term.settings) for term in run.config.terms]


def warn_without_snapshots(runs: Sequence[RunFolder], storage: Storage) -> None:
    """Warn of complete runs without the snapshots asked for: they are not trained again by themselves."""
    if storage.snapshots and not storage.force:
        lacking = [run for run in runs if run.result() and not run.has_snapshots]
        if lacking:
            more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            print_warning(
                f"{lacking[0].name}{more} is stored without snapshots; --force trains anew and keeps them."
            )
