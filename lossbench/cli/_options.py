"""The options that commands share: one spelling and one help text each.

A command takes `request: Request` and is decorated with `run_options`; Typer then sees every shared
option in its signature, as a single value or (for sweeps) as a list or range.
"""

from __future__ import annotations

import functools
import inspect
import math
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from ..errors import UsageError, unknown_name
from ..experiments.grid import parse_values
from ..runs.config import PRECISIONS, SAMPLERS, SHORTCUTS
from ..specs import Value, catalog

DEFAULT_RESULTS = Path("results")

Results = Annotated[
    Path,
    typer.Option("--results", help="Folder for runs, figures and tables.", rich_help_panel="Output"),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document and nothing else.", rich_help_panel="Output")
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Data folder (default: $LOSSBENCH_DATA, else the user's cache).",
        rich_help_panel="Data",
    ),
]
Output = Annotated[
    Path | None, typer.Option("--output", help="File to write (default: below results/figures).")
]
Style = Annotated[str, typer.Option("--style", help="paper, slides or dark.")]
Snapshots = Annotated[
    int,
    typer.Option(
        "--snapshots",
        min=0,
        max=1000,
        help="Moments of training, dense early, at which features are kept for `animate` and `explore`.",
        rich_help_panel="Output",
    ),
]
Tensorboard = Annotated[
    bool,
    typer.Option(
        "--tensorboard",
        help="Also write each run for TensorBoard, into its folder.",
        rich_help_panel="Output",
    ),
]
Seeds = Annotated[str, typer.Option("--seeds", help="Seeds: 0-4 or 0,3,5-7.", rich_help_panel="Training")]
Force = Annotated[
    bool, typer.Option("--force", help="Start anew, forgetting what is stored.", rich_help_panel="Output")
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        min=0,
        help="Runs trained at the same time, on a share of the cores each; 0: as many as fit.",
        rich_help_panel="Machine",
    ),
]
LossName = Annotated[
    str,
    typer.Option(
        "--loss",
        help="A loss, or a weighted sum such as 'softmax + 0.003*center'; `lossbench losses` lists them.",
        rich_help_panel="Loss",
    ),
]


class _Shared(NamedTuple):
    """An option of a run: its flag, type, help and panel; `listed` when a sweep may vary it."""

    flag: str
    type: type
    help: str
    panel: str
    listed: bool = False


def _names(kind: Any) -> str:
    return ", ".join(catalog.names(kind))


_SHARED: Mapping[str, _Shared] = {
    "lam": _Shared("--lambda", float, "Weight of the auxiliary term.", "Loss", True),
    "alpha": _Shared("--alpha", float, "Rate of the centre updates; in (0, 1].", "Loss", True),
    "margin": _Shared("--margin", float, "Margin m (radians when an angle).", "Loss", True),
    "scale": _Shared("--scale", float, "Scale s.", "Loss", True),
    "settings": _Shared(
        "--set", list, "Any other setting as name=value or loss.name=value; repeatable.", "Loss", True
    ),
    "network": _Shared("--network", str, f"Network: {_names('networks')}.", "Training"),
    "feature_dim": _Shared("--feature-dim", int, "Feature dimension D (default: 2).", "Training", True),
    "epochs": _Shared("--epochs", int, "Epochs (default: the data set's).", "Training", True),
    "batch_size": _Shared("--batch-size", int, "Samples per step.", "Training", True),
    "lr": _Shared("--lr", float, "Peak learning rate.", "Training", True),
    "weight_decay": _Shared("--weight-decay", float, "Weight decay of AdamW.", "Training", True),
    "sampler": _Shared("--sampler", str, f"Batches: {', '.join(SAMPLERS)}.", "Training"),
    "classes_per_batch": _Shared("--classes-per-batch", int, "P of balanced batches.", "Training"),
    "samples_per_class": _Shared("--samples-per-class", int, "K of balanced batches.", "Training"),
    "dataset": _Shared("--dataset", str, f"Data set: {_names('datasets')} (default: mnist).", "Data"),
    "data_dir": _Shared(
        "--data-dir", Path, "Data folder (default: $LOSSBENCH_DATA, else the user's cache).", "Data"
    ),
    "unseen": _Shared(
        "--unseen", str, "Classes kept out of training and judged apart, like 7,8,9 (open set).", "Data"
    ),
    "val_size": _Shared("--val-size", int, "Validation images held out; 0 trains on all.", "Data"),
    "device": _Shared("--device", str, "auto, cpu, cuda, cuda:0 ... or mps.", "Machine"),
    "precision": _Shared(
        "--precision", str, f"Type of the convolutions: {', '.join(PRECISIONS)}.", "Machine"
    ),
}
_ENGINE: Mapping[str, _Shared] = {
    "engine": _Shared("--engine", str, "Where runs execute: local or ray (default: local).", "Machine"),
    "address": _Shared(
        "--address", str, "Ray cluster to join: auto or HOST:PORT (default: one is started here).", "Machine"
    ),
    "gpus_per_run": _Shared(
        "--gpus-per-run", float, "GPUs of a run on Ray, like 0.25 (default: 0).", "Machine"
    ),
    "cpus_per_run": _Shared("--cpus-per-run", int, "CPUs of a run on Ray (default: 1).", "Machine"),
}
_PLACES = ("data_dir", "device", *_ENGINE)
_AXIS_NAMES = {"lam": "lambda"}


class Engine(NamedTuple):
    """Where runs execute, and what Ray is asked for."""

    name: str = "local"
    address: str | None = None
    gpus: float = 0.0
    cpus: int = 1

    @classmethod
    def from_options(cls, given: Mapping[str, Any]) -> Engine:
        """The engine of parsed options. Raises UsageError where they make no sense."""
        found = {name: given[name] for name in _ENGINE if given.get(name) is not None}
        name = found.pop("engine", "local")
        if name not in ("local", "ray"):
            raise unknown_name("engine", name, ("local", "ray"))
        if name == "local" and found:
            raise UsageError(f"{_ENGINE[next(iter(found))].flag} is for --engine ray.")
        gpus, cpus = found.get("gpus_per_run", 0.0), found.get("cpus_per_run", 1)
        if not (0 <= gpus < 1 or (math.isfinite(gpus) and gpus == int(gpus))):
            raise UsageError(f"--gpus-per-run {gpus:g}: a part of one GPU, or a whole number.")
        if cpus < 1:
            raise UsageError(f"--cpus-per-run {cpus}: at least 1.")
        if name == "ray" and str(given.get("device")).startswith("cuda") and not gpus:
            raise UsageError(f"--device {given['device']} on Ray needs --gpus-per-run.")
        return cls(name, found.get("address"), gpus, cpus)


LOCAL = Engine()


@dataclass(frozen=True)
class Request:
    """What the shared options say: where to run, and the values of everything that was set."""

    device: str
    data_dir: Path | None
    axes: dict[str, tuple[Value, ...]]
    engine: Engine = LOCAL

    @classmethod
    def from_options(cls, given: Mapping[str, Any]) -> Request:
        """The request of parsed options. Raises UsageError for a list that is none."""
        axes: dict[str, tuple[Value, ...]] = {}
        for name, value in given.items():
            if value is None or name in _PLACES or name == "settings":
                continue
            listed = _SHARED[name].listed and isinstance(value, str)
            axes[_AXIS_NAMES.get(name, name)] = (
                parse_values(_SHARED[name].flag, value) if listed else (value,)
            )
        for text in given.get("settings") or ():
            name, equals, value = text.partition("=")
            if not equals or not name.strip() or not value.strip():
                raise UsageError(f"--set {text}: write it as name=value, for example --set alpha=0.3.")
            if name.strip() in SHORTCUTS and name.strip() in axes:
                raise UsageError(f"--set {text}: --{name.strip()} is given as well.")
            axes[name.strip()] = parse_values("--set " + name.strip(), value)
        device = given.get("device") or "auto"
        return cls(device, given.get("data_dir"), axes, Engine.from_options(given))

    def with_default(self, name: str, values: tuple[Value, ...]) -> Request:
        """The same request, with an axis set where it was not."""
        return replace(self, axes={name: values, **self.axes})


def run_options(*, lists: bool, engines: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command all shared options; it receives them as its keyword argument `request`."""
    options = {**_SHARED, **(_ENGINE if engines else {})}

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        hints = typing.get_type_hints(command, include_extras=True)
        own = [
            p.replace(annotation=hints[name], kind=p.KEYWORD_ONLY)
            for name, p in inspect.signature(command).parameters.items()
            if name != "request"
        ]
        shared = [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(option, lists)
            )
            for name, option in options.items()
        ]

        @functools.wraps(command)
        def wrapper(**given: Any) -> Any:
            request = Request.from_options({name: given.pop(name) for name in options})
            return command(request=request, **given)

        wrapper.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
        wrapper.__annotations__ = {p.name: p.annotation for p in [*own, *shared]}
        return wrapper

    return decorate


def _annotation(option: _Shared, lists: bool) -> Any:
    kind: Any = option.type
    help_text = option.help
    if kind is list:
        kind = list[str]
    elif lists and option.listed:
        kind = str
        help_text += " A value, a list 0,0.1 or a range 1e-4:1e-1:log:7."
    metavar = "TEXT" if kind is str else None
    return Annotated[
        kind | None, typer.Option(option.flag, help=help_text, rich_help_panel=option.panel, metavar=metavar)
    ]
