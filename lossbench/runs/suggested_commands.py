"""The commands that train runs: what messages suggest where something is not stored."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import RunError
from ..specs import plugins
from .conditions import BATCH_OPTIONS
from .config import COMPARED_LOSSES, LOSS_OPTIONS, RUN_OPTIONS, RunConfig
from .config_builder import make_config
from .filter import FILTER_OPTIONS, RunFilter, typed

if TYPE_CHECKING:
    from .run_folder import RunFolder


def command_for(losses: Sequence[str], wanted: RunFilter, like: RunConfig | None = None) -> str:
    """The command that trains these losses with the values of a filter, else under the conditions `like`."""
    values: dict[str, Any] = {}
    if like is not None:
        batches = [name for name in BATCH_OPTIONS if name != "batch_size" or like.sampler != "shuffled"]
        values = _non_defaults(like, batches)
    for name, given in wanted.values.items():
        flag = len(given) == 1 and isinstance(given[0], bool)
        values[name] = given[0] if flag else ",".join(map(str, given))
    seeds = values.pop("seed", "0")
    several = len(losses) != 1 or "," in str(seeds)
    words = [
        *(["compare", "--losses"] if several else ["train", "--loss"]),
        ",".join(losses or COMPARED_LOSSES),
    ]
    words += _flags(values)
    words += [f"--seed{'s' if several else ''}", str(seeds)] if str(seeds) != "0" else []
    words += ["--snapshots", "30"] if wanted.snapshots else []
    return f"`{shlex.join(['lossbench', *words])}`"


def command_of(run: RunFolder) -> str:
    """The command that trains this very run, with its settings, into its results folder."""
    config = run.config
    expression = "+".join(f"{term.weight!r}*{term.name}" for term in config.terms)
    settings = {f"{term.name}.{key}": value for term in config.terms for key, value in term.settings}
    own = any(term.external for term in config.terms)  # whose defaults are not known without its code
    sampler = {"sampler": config.sampler} if own else {}
    values = sampler | _non_defaults(config, [*sampler], loss=expression, settings=settings, **sampler)
    weights = [term.weight for term in config.terms]
    lam = None if "+" in config.loss or not config.terms[-1].has_weight else weights[-1]
    # the shortest that fits
    for loss, weight in ((config.loss, None), (config.loss, lam), (expression, None)):
        default = make_config(loss=loss, lam=weight, as_written=own, **values)
        if [term.weight for term in default.terms] == weights:
            break
    words = ["train", "--loss", loss, *([] if weight is None else ["--lambda", repr(weight)])]
    for term, other in zip(config.terms, default.terms, strict=True):
        for key, value in dict(term.settings).items():
            if value != dict(other.settings).get(key):
                name = config.setting_name(f"{term.name}.{key}")
                text = typed(value)
                words += [f"--{name}", text] if name in LOSS_OPTIONS else ["--set", f"{name}={text}"]
    words += _flags(values)
    results = run.path.parent.parent
    words += [] if str(results) == "results" else ["--results", str(results)]
    return shlex.join(["lossbench", *words])


def without_snapshots(run: RunFolder) -> RunError:
    """The error for a stored run without snapshots, with the command that adds them."""
    return RunError(
        f"{run.name} is stored without snapshots; `{command_of(run)} --snapshots 30` trains it again and "
        "adds them."
    )


def dataset_argument(dataset: str) -> str:
    """What `--dataset` takes: where a user's data lie, or the name of other data."""
    spec = plugins.known_dataset(dataset)
    return (spec and spec.location) or dataset


def _non_defaults(config: RunConfig, omitted: Sequence[str] = (), **given: Any) -> dict[str, Any]:
    """The options of a config that differ from what they are without them, by name."""
    values: dict[str, Any] = {}
    for name, option in RUN_OPTIONS.items():
        if option.on_command_line and name not in omitted:
            value = getattr(config, name)
            if value != getattr(make_config(as_written=True, **given, **values), name):
                values[name] = config.unseen_names.replace(", ", ",") if name == "unseen" else value
    return values


def _flags(values: Mapping[str, Any]) -> list[str]:
    """Options of a run with their values, as words of a command."""
    words = []
    for name, value in values.items():
        flag = FILTER_OPTIONS[name].flag
        if name == "dataset":
            words += [flag, dataset_argument(str(value))]
        elif isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        else:
            words += [flag, ",".join(map(str, value)) if isinstance(value, tuple) else str(value)]
    return words
