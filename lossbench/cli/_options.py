"""The options that commands share: one spelling and one help text each.

A command takes `request: Request` and is decorated with `run_options`. Typer then sees every option of a run
in its signature, as a single value or (for sweeps) as a list or range.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from ..engines import EngineOptions
from ..errors import UsageError
from ..experiments.grid import parse_values
from ..runs.config import LOSS_OPTIONS, RECIPE_OPTION, RUN_OPTIONS
from ..runs.option_values import check_device
from ..runs.options import Option, Options, by_parameter, default_text
from ..specs import Value
from ._flags import (
    DEFAULT_RESULTS,
    Results,
    Settings,
    flag,
    parameters_of,
    parse_settings,
    path_flag,
    with_parameters,
)

if TYPE_CHECKING:
    from ..training.process import Placement

PLACEMENT_OPTIONS = {
    "device": Option("Device: auto, cpu, cuda, cuda:0 ... or mps.", "Machine", name="device", default="auto"),
    "data_dir": Option(
        "Folder of the data sets.",
        "Data",
        name="data_dir",
        default_text="$LOSSBENCH_DATA, else the user's cache",
        type=Path,
    ),
    "threads": Option(
        "CPU threads of a run.",
        "Machine",
        name="threads",
        default_text="1, or 2 for a large network that trains alone",
        ge=1,
        type=int,
    ),
}
ENGINE_OPTIONS = {
    option.name: option
    for option in (
        Option("Where runs execute: local or ray.", "Machine", name="engine", default="local"),
        Option(
            "Ray cluster to join: auto or HOST:PORT.",
            "Machine",
            name="address",
            default_text="start one on this machine",
        ),
        Option("GPUs of a run on Ray, such as 0.25.", "Machine", name="gpus_per_run", default=0, type=float),
        Option("CPUs of a run on Ray.", "Machine", name="cpus_per_run", default=1, ge=1, type=int),
    )
}


def typer_option(option: Option, *, lists: bool = False) -> Any:
    """A declared option for Typer; `lists` says that it takes several values if a sweep may vary it."""
    text = option.help.rstrip(".")
    if option.words:
        text += f": {', '.join(option.words)}{f' or {option.own}' if option.own else ''}"
    if lists and option.sweep:
        text += (
            "; one or more" if option.type is str else "; a value, a list 0,0.1 or a range 1e-4:1e-1:log:7"
        )
    text = f"{text} (default: {default_text(RUN_OPTIONS, option)})."
    name = f"{option.flag}/--no-{option.flag[2:]}" if option.type is bool else option.flag
    make = path_flag if option.type is Path else flag
    return make(name, text, option.panel, show_default=False)


@dataclass(frozen=True)
class Storage:
    """Where runs are stored and what is kept of each; a command with `storage: Storage` has these options."""

    results: Results = DEFAULT_RESULTS
    force: Annotated[bool, flag("--force", "Train again, and delete what is stored.", "Output")] = False
    snapshots: Annotated[
        int,
        flag(
            "--snapshots",
            "Number of snapshots of the features in training, for `animate` and `explore`; denser early.",
            "Output",
            min=0,
            max=1000,
        ),
    ] = 0
    tensorboard: Annotated[
        bool, flag("--tensorboard", "Also write event files for TensorBoard.", "Output")
    ] = False


Device = Annotated[str, typer_option(PLACEMENT_OPTIONS["device"])]
DataDir = Annotated[Path | None, typer_option(PLACEMENT_OPTIONS["data_dir"])]
Dataset = Annotated[str, typer_option(RUN_OPTIONS["dataset"])]
Network = Annotated[str, typer_option(RUN_OPTIONS["network"])]


@dataclass(frozen=True)
class Request:
    """What the shared options say: where to run, and the values of every option that was given."""

    device: str
    data_dir: Path | None
    threads: int | None
    engine: EngineOptions
    axes: dict[str, tuple[Value, ...]]

    @property
    def placement(self) -> Placement:
        """Where runs execute."""
        from ..training.process import Placement

        return Placement(self.device, self.data_dir, self.threads)

    @property
    def point(self) -> dict[str, Value]:
        """The value of every option that was given. Raises UsageError for one with several values."""
        for name, values in self.axes.items():
            if len(values) > 1:
                raise UsageError(f"{name} takes one value here; `lossbench sweep` takes several.")
        return {name: values[0] for name, values in self.axes.items()}


OPTIONS_OF_RUN: Options = {
    **by_parameter(LOSS_OPTIONS),
    RECIPE_OPTION.name: RECIPE_OPTION,
    **{name: option for name, option in RUN_OPTIONS.items() if option.on_command_line},
}
"""The options of a run by the names of parameters."""


def make_request(given: Mapping[str, Any], settings: Mapping[str, Any], results: Path) -> Request:
    """The request of options by the names of parameters, None where not given, and of settings of losses.
    Runs that are named lie below the folder `results`.

    An option that a sweep may vary, and a setting, may have several values: as a text or as a list.
    """
    if init := given.get("init"):
        from ..runs.model import initial_network
        from ..runs.store import Store

        name, *_ = RUN_OPTIONS["init"].check(init).partition("@")
        given = {**given, "init": initial_network(Store(results).find(name))}
    check_device(given.get("device") or "auto")
    if given.get("threads") is not None:
        PLACEMENT_OPTIONS["threads"].check(given["threads"])
    axes = _axes(given, settings)
    if "dataset" in axes:
        axes["dataset"] = names_of_data(axes["dataset"], results)
    engine, *shares = (given.get(name) for name in ENGINE_OPTIONS)
    request = Request(
        given.get("device") or "auto",
        given.get("data_dir"),
        given.get("threads"),
        EngineOptions(engine or "local", *shares),
        axes,
    )
    request.engine.check_device(request.device)
    return request


def names_of_data(values: Iterable[Value], results: Path) -> tuple[Value, ...]:
    """Data sets by name, those of a user as runs in `results` name them; see `Store.dataset_name`."""
    from ..runs.store import Store

    store = Store(results)
    return tuple(store.dataset_name(each) if isinstance(each, str) else each for each in values)


def _axes(given: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, tuple[Value, ...]]:
    """The values of each option of a run that was given, and of each setting, by name."""
    axes: dict[str, tuple[Value, ...]] = {}
    for parameter, option in OPTIONS_OF_RUN.items():
        if (value := given.get(parameter)) is not None:
            axes[option.name] = values_of(option.flag, value) if option.sweep else (value,)
    for name, value in settings.items():
        if name in LOSS_OPTIONS and name in axes:
            raise UsageError(f"--set {name}={value}: --{name} is given as well.")
        axes[name] = values_of(f"--set {name}", value)
    return axes


def values_of(option: str, value: Any) -> tuple[Value, ...]:
    """One value or several, as a text or as a list. Raises UsageError that names the option."""
    if isinstance(value, str):
        return parse_values(option, value)
    if isinstance(value, list | tuple | range) and not value:
        raise UsageError(f"{option} has no value: the list is empty.")
    return tuple(value) if isinstance(value, list | tuple | range) else (value,)


def run_options(
    *, lists: bool = False, several_runs: bool = True, of_runs: bool = True
) -> Callable[[Callable[..., None]], Any]:
    """Give a command the options of a run as `request`, and those of Storage where it has such a parameter.

    lists: whether options that a sweep may vary take several values. several_runs: whether the command has
    `--seeds` of its own instead of `--seed`, and a choice of engine. of_runs: False for a command whose runs
    are given, so that it is only asked where they execute.
    """
    options = {**(OPTIONS_OF_RUN if of_runs else {}), **PLACEMENT_OPTIONS}
    if several_runs:
        options.pop("seed", None)
        options |= ENGINE_OPTIONS

    def decorate(command: Callable[..., None]) -> Any:
        parameters = parameters_of(command)
        del parameters["request"]
        stores = parameters.pop("storage", None) is not None
        of_storage = typing.get_type_hints(Storage, include_extras=True) if stores else {}
        parameters |= {name: (hint, getattr(Storage, name)) for name, hint in of_storage.items()}
        for name, option in options.items():
            kind: Any = str if lists and option.sweep else option.type
            parameters[name] = (Annotated[kind | None, typer_option(option, lists=lists)], None)
        parameters |= {"settings": (Settings, None)} if of_runs else {}

        def call(**given: Any) -> None:
            values = {name: given.pop(name) for name in options}
            if stores:
                given["storage"] = Storage(**{name: given.pop(name) for name in of_storage})
            results = given["storage"].results if stores else given.get("results", DEFAULT_RESULTS)
            request = make_request(values, parse_settings(given.pop("settings", None)), results)
            from ._output import show_loading

            with show_loading("Loading PyTorch"):
                command(request=request, **given)

        return with_parameters(call, command, parameters)

    return decorate
