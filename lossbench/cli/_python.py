"""What the functions of the package `lossbench` share: their arguments as those of the commands."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..errors import RunError, UsageError, unknown_name
from ..experiments.grid import parse_seeds
from ..runs.conditions import name_differences
from ..runs.config import COMPARED_LOSSES, RUN_OPTIONS
from ..runs.filter import FILTER_OPTIONS, RunFilter
from ..runs.options import Option, by_parameter
from ..runs.outcome import Outcome
from ..runs.result import Status
from ..runs.run import Run
from ..runs.run_folder import open_run as open_folder
from ..runs.store import Store
from ..runs.stored_run import StoredRun
from ..specs import catalog
from ..specs.expressions import canonical_sum, parse_sum, split_names
from ..tables import counted
from ._flags import as_path, canonical_losses
from ._options import ENGINE_OPTIONS, OPTIONS_OF_RUN, PLACEMENT_OPTIONS, Request, Storage, make_request
from ._output import messages_shown, print_message, print_warning
from ._selection import Selection, finished_runs, make_filter, select_runs

_NUMBERS = {
    "fps": Option("", name="fps", type=float, ge=0.5, le=60),
    "jobs": Option("", name="jobs", type=int),
    "snapshots": Option("", name="snapshots", type=int, le=1000),
    "trials": Option("", name="trials", type=int),
}

if TYPE_CHECKING:
    from torch import nn

    Loss: TypeAlias = str | type[nn.Module]

PathLike: TypeAlias = "str | os.PathLike[str]"


def python_request(
    options: Mapping[str, Any],
    settings: Mapping[str, Any] | None,
    results: PathLike,
    force: bool = False,
    snapshots: int = 0,
    tensorboard: bool = False,
    *,
    several_runs: bool = False,
) -> tuple[Request, Storage]:
    """Options by the names of parameters, and where to store. Raises UsageError for an unknown option, or for
    a value of another kind."""
    known = {**OPTIONS_OF_RUN, **PLACEMENT_OPTIONS, **(ENGINE_OPTIONS if several_runs else {})}
    if several_runs:
        del known["seed"]
    given = _given(options, known)
    if isinstance(network := given.get("network"), str):
        catalog.refresh(network, "networks")
    for name in {*PLACEMENT_OPTIONS, *ENGINE_OPTIONS} & given.keys():
        given[name] = as_path(given[name]) if known[name].type is Path else known[name].check(given[name])
    named = {}
    for name, value in checked_settings(settings).items():
        term, dot, key = name.rpartition(".")
        named[catalog.canonical(term) + dot + key] = value
    return make_request(given, named, as_path(results)), Storage(
        as_path(results), force, number_of("snapshots", snapshots) or 0, tensorboard
    )


def checked_settings(settings: Mapping[str, Any] | None) -> dict[str, Any]:
    """Settings of a loss by name. Raises UsageError for anything but names with values."""
    given = {} if settings is None else settings
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise UsageError("settings are a dictionary of names and values, such as {'alpha': 0.5}.")
    return {name: _plain(value) for name, value in given.items()}


def number_of(name: str, value: object) -> Any:
    """The value of one of _NUMBERS, or None. Raises UsageError for one that is not allowed."""
    return None if value is None else _NUMBERS[name].check(_plain(value))


def loss_name(loss: Loss) -> str:
    """A loss or sum by canonical names; a class by its name. Raises UsageError for anything else."""
    if isinstance(loss, type):
        return catalog.name_of(loss)
    if not isinstance(loss, str):
        raise UsageError(f"A loss is a name, a sum or a class, not {type(loss).__name__}.")
    text = canonical_sum(loss)
    for name, _ in parse_sum(text):
        catalog.refresh(name)
    return text


def loss_names(losses: Loss | Sequence[Loss] | None) -> list[str]:
    """The names of several losses, of those that are compared by default for None.

    Raises UsageError where there is none.
    """
    if isinstance(losses, str):
        losses = split_names(canonical_losses(losses) or "")
    losses = COMPARED_LOSSES if losses is None else losses
    names = [loss_name(loss) for loss in _several(losses)]
    if not names:
        raise UsageError("losses is empty.")
    return names


def seeds_of(seeds: int | str | Iterable[int]) -> tuple[int, ...]:
    """Distinct seeds, in order. Raises UsageError where there is none."""
    if isinstance(seeds, str):
        return parse_seeds(seeds)
    each = [_plain(seed) for seed in _several(_plain(seeds))]
    if not each:
        raise UsageError("seeds is empty.")
    return tuple(dict.fromkeys(RUN_OPTIONS["seed"].check(seed) for seed in each))


def names_of(argument: str, value: str | os.PathLike[str] | Iterable[Any]) -> tuple[str, ...]:
    """The names in a text with commas, or those given as several. Raises UsageError where there is none."""
    plain = _plain(value)
    names = [_plain(part) for part in _several(plain.split(",") if isinstance(plain, str) else plain)]
    if wrong := [name for name in names if not isinstance(name, str)]:
        raise UsageError(f"{argument} takes names, not {type(wrong[0]).__name__}.")
    if not names:
        raise UsageError(f"{argument} is empty.")
    return tuple(map(str.strip, names))


_turn = threading.RLock()


@contextlib.contextmanager
def running(progress: bool) -> Iterator[None]:
    """Inside the block runs are trained; afterwards the user's process is as it was.

    One thread at a time is in it: what training sets in the process holds for all threads.
    """
    from ..training.process import torch_settings_kept

    if not _turn.acquire(blocking=False):
        print_message("Another thread of this process trains; this call waits for it.")
        _turn.acquire()
    try:
        with messages_shown(progress), torch_settings_kept():
            yield
    finally:
        _turn.release()


def check_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Raise RunError where runs failed, and warn of those that diverged."""
    failed = [outcome for outcome in outcomes if outcome.status is Status.FAILED]
    if failed:
        raise RunError(
            f"{len(failed)} of {counted(len(outcomes), 'run')} failed, the first one: "
            f"{failed[0].message.rstrip('.')}. The same call tries these again."
        )
    if diverged := [outcome.config.run_name for outcome in outcomes if outcome.status is Status.DIVERGED]:
        print_warning(f"{len(diverged)} of {counted(len(outcomes), 'run')} diverged: {', '.join(diverged)}.")


def open_run(run: PathLike, results: PathLike, data_dir: PathLike | None) -> Run:
    """A finished run by its folder, or by its name in a results folder."""
    path = as_path(run)
    is_folder = len(path.parts) > 1 or (path / "config.json").exists()
    folder = open_folder(path) if is_folder else Store(as_path(results)).find(str(run))
    return Run(StoredRun(folder, None if data_dir is None else as_path(data_dir)))


def find_runs(
    losses: Loss | Sequence[Loss] | None,
    options: Mapping[str, Any],
    results: PathLike,
    data_dir: PathLike | None,
) -> list[Run]:
    """The finished runs that a filter accepts, oldest first; a warning for each that cannot be read."""
    known = by_parameter(FILTER_OPTIONS)
    values = {known[name].name: value for name, value in _given(options, known).items()}
    wanted = make_filter(None if losses is None else loss_names(losses), values)
    data_folder = None if data_dir is None else as_path(data_dir)
    return [
        Run(StoredRun(run, data_folder))
        for run in finished_runs(Store(as_path(results)))
        if wanted.accepts(run.config)
    ]


def selected_runs(
    runs: Run | Sequence[Run] | None, results: PathLike, *arguments: Any, **options: Any
) -> list[StoredRun]:
    """These runs as figures see them, with what differs in their captions; for None those that the command
    shows, see `select_runs`."""
    if runs is None:
        return select_runs(Store(as_path(results)), Selection((), RunFilter()), *arguments, **options)
    views = [view_of(run) for run in _several(runs)]
    if not views:
        raise UsageError("There is no run to show.")
    name_differences(views)
    return views


def view_of(run: object) -> StoredRun:
    """A run as figures see it. Raises UsageError for anything else."""
    if not isinstance(run, Run):
        raise UsageError(f"A run is what lossbench.train, load or runs return, not {type(run).__name__}.")
    return run.view


def _several(value: Any) -> list[Any]:
    """The values of an iterable; anything else, also a text or a class, alone."""
    alone = isinstance(value, str | bytes | type) or not isinstance(value, Iterable)
    return [value] if alone else list(value)


def _given(options: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are not None. Raises UsageError for an unknown one, with near matches."""
    for name in options:
        if name not in known:
            raise unknown_name("option", name, known)
    return {name: _plain(value) for name, value in options.items() if value is not None}


def _plain(value: Any) -> Any:
    """Arrays and their numbers as lists and numbers of Python, a path as text, a run or a class of a network
    by its name; the rest as it is."""
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Run):
        return value.name
    if isinstance(value, type):
        return catalog.name_of(value, "networks")
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return _numbers(value) if hasattr(value, "tolist") else value


def _numbers(array: Any) -> Any:
    """The numbers of an array or tensor; those of a short type as they are shown, 0.1 and not 0.10000000149,
    so that they are the same setting as that number of Python."""
    kind = str(array.dtype).rpartition(".")[2]
    if kind not in ("float16", "float32"):
        return array.tolist()
    return np.array(array.tolist(), kind).astype(str).astype(float).tolist()
