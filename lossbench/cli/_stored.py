"""Which stored runs a command shows: those named, or the ones a reader would mean."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ..errors import RunError
from ..runs.config_builder import make_config
from ..runs.result import Status
from ..specs import catalog
from ._output import warn

if TYPE_CHECKING:
    from ..runs.config import RunConfig
    from ..runs.store import RunFolder, Store
    from ..runs.stored_run import StoredRun

Runs = Annotated[
    list[str] | None,
    typer.Option("--run", help="A run by name, id or their beginning; repeatable (default: by --loss)."),
]
Losses = Annotated[
    str | None,
    typer.Option(
        "--loss", help="Losses whose stored runs are shown, separated by commas (default: by figure)."
    ),
]


def chosen_runs(
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
    wanted = [name.strip() for name in losses.split(",")] if losses else None
    if which == "untrained":
        configs = [make_config(loss=name) for name in wanted or catalog.names("losses")]
        return [cast("StoredRun", UntrainedRun(config)) for config in configs]
    runs, problems = store.all()
    for problem in problems:
        warn(problem)
    done = [
        run
        for run in runs
        if (wanted is None or run.config.loss in wanted)
        and (result := run.result()) is not None
        and result.status is Status.DONE
        and (run.has_snapshots or not snapshots)
    ]
    if not done:
        of = f" of {losses}" if losses else ""
        kind, how = (" with snapshots", " --snapshots 30") if snapshots else ("", "")
        raise RunError(
            f"There is no finished run{of}{kind} in {store.runs}; `lossbench compare{how}` makes some."
        )
    return [StoredRun(run, data_dir) for run in _pick(done, wanted, which)]


def _pick(done: Sequence[RunFolder], wanted: Sequence[str] | None, which: str) -> list[RunFolder]:
    """Of finished runs, oldest first, in the order of the losses wanted."""
    newest = done[-1].config
    if which == "newest" and wanted is None:
        return [done[-1]]
    if which == "all":
        own = wanted or [newest.loss]
        alike = [r for r in done if r.config.dataset == newest.dataset and r.config.loss in own]
        return sorted(alike, key=lambda run: (own.index(run.config.loss), _settings(run), run.config.seed))
    if which == "every":
        alike = max(_by_conditions(done), key=len)
        return sorted(alike, key=lambda run: (run.config.loss, _settings(run), run.config.seed))
    # one of each loss, where possible of the conditions under which most of the losses were trained
    alike = max(_by_conditions(done), key=lambda runs: len({run.config.loss for run in runs}))
    last = {run.config.loss: run for run in [*done, *alike]}
    shown = [last[name] for name in wanted or [alike[-1].config.loss] if name in last]
    if which == "seeds":
        settings = [_but_seed(run.config) for run in shown]
        seeds = [run for run in done if _but_seed(run.config) in settings]
        return sorted(seeds, key=lambda run: (settings.index(_but_seed(run.config)), run.config.seed))
    return shown


def _by_conditions(done: Sequence[RunFolder]) -> list[list[RunFolder]]:
    """Runs that differ in nothing but loss and seed, together; those with the newest run first."""
    # losses on pairs draw batches of their own kind
    batches: dict[str, Any] = {"sampler": "", "batch_size": 0, "classes_per_batch": 0, "samples_per_class": 0}
    groups: dict[RunConfig, list[RunFolder]] = {}
    for run in done:
        key = dataclasses.replace(run.config, terms=(), seed=0, **batches)
        groups.setdefault(key, []).append(run)
    return sorted(groups.values(), key=lambda runs: -done.index(runs[-1]))


def _but_seed(config: RunConfig) -> RunConfig:
    return dataclasses.replace(config, seed=0)


def _settings(run: RunFolder) -> list[tuple[object, ...]]:
    return [(term.weight, term.settings) for term in run.config.terms]


def warn_without_snapshots(store: Store, configs: Sequence[RunConfig], asked: int, force: bool) -> None:
    """Say which complete runs lack the snapshots asked for: they are not trained again by themselves."""
    if asked and not force:
        lacking = [run for run in map(store.run, configs) if run.result() and not run.has_snapshots]
        if lacking:
            more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            warn(f"{lacking[0].name}{more} is stored without snapshots; --force trains anew and keeps them.")
