"""What the functions of the package `lossbench` share: their arguments as those of the commands."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ..errors import RunError, UsageError, unknown_name
from ..experiments.grid import parse_seeds
from ..runs.conditions import name_differences
from ..runs.config import COMPARED_LOSSES
from ..runs.filter import FILTER_OPTIONS, RunFilter
from ..runs.options import by_parameter
from ..runs.outcome import Outcome
from ..runs.result import Status
from ..runs.run import Run
from ..runs.run_folder import open_run as open_folder
from ..runs.store import Store
from ..runs.stored_run import StoredRun
from ..specs import catalog
from ..specs.expressions import canonical_sum, parse_sum
from ._flags import as_path, canonical_losses
from ._options import ENGINE_OPTIONS, OPTIONS_OF_RUN, PLACEMENT_OPTIONS, Request, Storage, make_request
from ._output import messages_shown, print_warning
from ._selection import Selection, make_filter, readable_runs, select_runs

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
    given = {name: _plain(value) for name, value in _checked(options, known).items()}
    if isinstance(network := given.get("network"), str):
        catalog.refresh(network, "networks")
    for name in {*PLACEMENT_OPTIONS, *ENGINE_OPTIONS} & given.keys():
        given[name] = as_path(given[name]) if known[name].type is Path else known[name].check(given[name])
    named = {}
    for name, value in (settings or {}).items():
        term, dot, key = name.rpartition(".")
        named[catalog.canonical(term) + dot + key] = _plain(value)
    if snapshots < 0:
        raise UsageError("snapshots is a number of moments, at least 0.")
    return make_request(given, named, as_path(results)), Storage(
        as_path(results), force, snapshots, tensorboard
    )


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
        losses = [loss.strip() for loss in (canonical_losses(losses) or "").split(",")]
    losses = COMPARED_LOSSES if losses is None else losses
    names = [loss_name(loss) for loss in ([losses] if isinstance(losses, type) else losses)]
    if not names:
        raise UsageError("losses is empty.")
    return names


def seeds_of(seeds: int | str | Iterable[int]) -> tuple[int, ...]:
    """Distinct seeds, in order. Raises UsageError where there is none."""
    if isinstance(seeds, str):
        return parse_seeds(seeds)
    plain: int | Iterable[int] = _plain(seeds)
    distinct = tuple(dict.fromkeys([plain] if isinstance(plain, int) else plain))
    if not distinct:
        raise UsageError("seeds is empty.")
    return distinct


@contextlib.contextmanager
def running(progress: bool) -> Iterator[None]:
    """Inside the block runs are trained; afterwards the user's process is as it was."""
    from ..training.process import settings_kept

    with messages_shown(progress), settings_kept():
        yield


def check_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Raise RunError where runs failed, and warn of those that diverged."""
    failed = [outcome for outcome in outcomes if outcome.status is Status.FAILED]
    if failed:
        raise RunError(
            f"{len(failed)} of {len(outcomes)} runs failed, the first one: {failed[0].message.rstrip('.')}. "
            "The same call tries these again."
        )
    if diverged := [outcome.config.run_name for outcome in outcomes if outcome.status is Status.DIVERGED]:
        print_warning(f"{len(diverged)} of {len(outcomes)} runs diverged: {', '.join(diverged)}.")


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
    values = {known[name].name: _plain(value) for name, value in _checked(options, known).items()}
    wanted = make_filter(None if losses is None else loss_names(losses), values)
    data_folder = None if data_dir is None else as_path(data_dir)
    return [
        Run(StoredRun(run, data_folder))
        for run in readable_runs(Store(as_path(results)))
        if wanted.accepts(run.config) and run.done_result() is not None
    ]


def selected_runs(
    runs: Run | Sequence[Run] | None, results: PathLike, *arguments: Any, **options: Any
) -> list[StoredRun]:
    """These runs as figures see them, with what differs in their captions; for None those that the command
    shows, see `select_runs`."""
    if runs is None:
        return select_runs(Store(as_path(results)), Selection((), RunFilter()), *arguments, **options)
    views = [run.view for run in ([runs] if isinstance(runs, Run) else runs)]
    if not views:
        raise UsageError("There is no run to show.")
    name_differences(views)
    return views


def _checked(options: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are not None. Raises UsageError for an unknown one, with near matches."""
    for name in options:
        if name not in known:
            raise unknown_name("option", name, known)
    return {name: value for name, value in options.items() if value is not None}


def _plain(value: Any) -> Any:
    """Arrays and their numbers as lists and numbers of Python, a path as text, a run or a class of a network
    by its name; the rest as it is."""
    if isinstance(value, Run):
        return value.name
    if isinstance(value, type):
        return catalog.name_of(value, "networks")
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value.tolist() if hasattr(value, "tolist") else value
