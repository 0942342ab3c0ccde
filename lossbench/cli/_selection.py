"""Which stored runs a command shows: those named, or those that the options of a filter select."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ..errors import RunError, UsageError, at_most
from ..experiments.grid import parse_seeds, parse_values
from ..runs.conditions import distinguishing_conditions, name_differences
from ..runs.config_builder import config_at, dataset_name
from ..runs.filter import FILTER_OPTIONS, WITH_COMMAS, RunFilter, filter_value
from ..runs.options import by_parameter
from ..runs.result import Status
from ..runs.selection import select, swept_names
from ..runs.suggested_commands import without_snapshots
from ..specs import catalog
from ..specs.expressions import split_names
from ._flags import canonical_losses, flag, parameters_of, with_parameters
from ._options import values_of
from ._output import print_message, print_warning

if TYPE_CHECKING:
    from ..runs.run_folder import RunFolder
    from ..runs.store import Store
    from ..runs.stored_run import StoredRun

_BOOL = {"true": True, "false": False}
_RUN = flag(
    "--run", "A run: its name, its id, or the beginning of either; repeatable (default: by --loss).", "Loss"
)
_LOSS = flag(
    "--loss",
    "Losses to show, separated by commas (default: all that fit).",
    "Loss",
    callback=canonical_losses,
)


@dataclass(frozen=True)
class Selection:
    """What the options say of the runs to show: their names, or a filter."""

    names: tuple[str, ...]
    filter: RunFilter

    @property
    def label(self) -> str:
        """The values of the filter for the name of a file, like 'seed-4'; the data set is there anyway."""
        values = {name: value for name, value in self.filter.values.items() if name != "dataset"}
        return re.sub("[^A-Za-z0-9+.]+", "-", str(replace(self.filter, values=values))).strip("-")


def selection_options(*, names: bool = True) -> Callable[[Callable[..., None]], Any]:
    """Give a command `--run` (unless not `names`), `--loss` and every option of a run as `selection`."""
    options = by_parameter(FILTER_OPTIONS)

    def decorate(command: Callable[..., None]) -> Any:
        parameters = parameters_of(command)
        del parameters["selection"]
        parameters |= {"run": (Annotated[list[str] | None, _RUN], None)} if names else {}
        parameters["loss"] = (Annotated[str | None, _LOSS], None)
        for name, option in options.items():
            text = f"Select runs by: {option.help[:1].lower()}{option.help[1:].rstrip('.')} (default: any)."
            shown = typer.Option(option.flag, help=text, rich_help_panel=option.panel, show_default=False)
            parameters[name] = (Annotated[str | None, shown], None)

        def call(**given: Any) -> None:
            run_names, losses = tuple(given.pop("run", None) or ()), given.pop("loss")
            values = {option.name: given.pop(name) for name, option in options.items()}
            command(selection=_selection(run_names, losses, values), **given)

        return with_parameters(call, command, parameters)

    return decorate


def _selection(names: tuple[str, ...], losses: str | None, given: Mapping[str, str | None]) -> Selection:
    """Raises UsageError for values that are none, and for both names and a filter other than the data, which
    may have been moved."""
    values = {name: text for name, text in given.items() if text is not None}
    loss_names = None if losses is None else split_names(losses)
    if names and (loss_names or values.keys() - {"dataset"}):
        raise UsageError("--run names the runs; it goes with no option that selects others, such as --loss.")
    return Selection(names, make_filter(loss_names, values))


def make_filter(losses: Sequence[str] | None, given: Mapping[str, Any]) -> RunFilter:
    """A filter by losses and by values of options, as texts or as they are. Raises UsageError for values that
    are none."""
    values: dict[str, tuple[Any, ...]] = {}
    for name, value in given.items():
        option = FILTER_OPTIONS[name]
        if name in WITH_COMMAS:
            values[name] = (filter_value(name, value),)
        elif option.type is bool and isinstance(value, str):
            values[name] = tuple(_BOOL.get(part.strip().lower(), part) for part in value.split(","))
        elif not isinstance(value, str):
            values[name] = values_of(option.flag, value)
        elif name == "seed":
            values[name] = parse_seeds(value, option.flag)
        elif name == "dataset":
            values[name] = tuple(dataset_name(each, stored=True) for each in split_names(value))
        elif option.type is str:
            values[name] = tuple(split_names(value))
        else:
            values[name] = parse_values(option.flag, value)
    wanted = RunFilter(losses=None if losses is None else tuple(dict.fromkeys(losses)), values=values)
    wanted.check()
    return wanted


def readable_runs(store: Store) -> list[RunFolder]:
    """All runs of a store, oldest first; a warning for each that cannot be read."""
    runs, problems = store.all()
    for problem in problems:
        print_warning(problem)
    return runs


def finished_runs(store: Store) -> list[RunFolder]:
    """The finished runs of a store, oldest first; a warning for each run that cannot be read."""
    done = []
    for run in readable_runs(store):
        try:
            done += [run] if run.done_result() is not None else []
        except RunError as error:  # of one run, which may have nothing to do with what is shown
            print_warning(str(error))
    return done


def select_runs(
    store: Store,
    selection: Selection,
    which: str = "compared",
    data_dir: Path | None = None,
    *,
    axes: int = 1,
    over: str | None = None,
    dim: int = 0,
    snapshots: bool = False,
) -> list[StoredRun]:
    """The named runs; else those that the filter and `which` select, see `runs.selection.select`.

    dim: of that feature dimension only, unless the filter has one; 0: of any. snapshots: only those that have
    them. What differs between the runs is in their captions; what those shown have and others of their losses
    do not is a message. Raises UsageError or RunError.
    """
    from ..runs.stored_run import StoredRun

    wanted = selection.filter
    if which == "untrained" and not selection.names:
        return _untrained(wanted, store)
    if selection.names:
        shown = [StoredRun(store.find(name), data_dir) for name in dict.fromkeys(selection.names)]
        for run in shown:
            if not wanted.accepts(run.config):
                raise UsageError(
                    f"{run.name} was trained on {run.config.dataset}, not on these data: {wanted}."
                )
        if lacking := [run.folder for run in shown if snapshots and not run.folder.has_snapshots]:
            raise without_snapshots(lacking[0])
    else:
        done = [StoredRun(run, data_dir) for run in finished_runs(store)]
        if not done:
            command = f"lossbench compare{' --snapshots 30' if snapshots else ''}"
            said = f"There is no finished run in {store.runs}; `{command}` makes some."
            raise RunError(said + _diverged_text(store, wanted))
        values = {"feature_dim": (dim,), **wanted.values} if dim else wanted.values
        wanted = RunFilter(losses=wanted.losses, values=values, snapshots=snapshots)
        try:
            shown = select(done, wanted, which, axes, swept_names(over))
        except RunError as error:
            raise RunError(f"{error}{_diverged_text(store, wanted)}") from None
        losses = dict.fromkeys(run.config.loss for run in shown)
        others = [run for run in done if run.config.loss in losses and wanted.accepts(run.config)]
        if chosen := distinguishing_conditions(shown, others):
            print_message(f"Of the runs of {', '.join(losses)} those with {chosen} are shown.")
    name_differences(shown)
    return shown


def _diverged_text(store: Store, wanted: RunFilter) -> str:
    """Which of the runs that were asked for diverged, so that training them again does not help."""
    names = []
    for run in store.all()[0]:
        with contextlib.suppress(RunError):  # has been warned of
            result = run.result() if wanted.accepts(run.config) else None
            names += [run.name] if result is not None and result.status is Status.DIVERGED else []
    return f" Runs that diverged: {', '.join(at_most(names))}." if names else ""


def _untrained(wanted: RunFilter, store: Store) -> list[StoredRun]:
    """Losses at their defaults, but for the values of the filter. Raises UsageError for a named loss that has
    no target logit."""
    from ..runs.stored_run import UntrainedRun

    point = {}
    for name, values in wanted.values.items():
        if len(values) > 1:
            raise UsageError(f"{FILTER_OPTIONS[name].flag} takes one value here.")
        point[name] = store.dataset_name(str(values[0])) if name == "dataset" else values[0]
    runs = [UntrainedRun(config_at(loss, point)) for loss in wanted.losses or catalog.names("losses")]
    for run in runs if wanted.losses else ():
        if run.target_logits() is None:
            raise UsageError(f"{run.title} has no target logit that depends on the angle alone; omit it.")
    return [cast("StoredRun", run) for run in runs]
