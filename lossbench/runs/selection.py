"""Which stored runs are shown together: those that a filter names, under the same conditions.

The conditions of a run are all its options but the loss with its settings and the seed. A figure shows runs
of the same conditions and the same seed, except for what it compares: it draws several seeds as one mean, or
the values of a swept option along an axis. Asking for what is not stored is an error.
"""

from __future__ import annotations

import dataclasses
import difflib
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..errors import RunError, UsageError, at_most
from ..specs import POOLED, Value
from ..specs.expressions import split_names
from .conditions import describe_differences, groups_of_equal_conditions
from .config import COMPARED_LOSSES, RUN_OPTIONS, RunConfig
from .filter import FILTER_OPTIONS, RunFilter, filtered_value, has_loss, typed
from .suggested_commands import command_for, without_snapshots

if TYPE_CHECKING:
    from .stored_run import StoredRun


def select(
    runs: Sequence[StoredRun], wanted: RunFilter, which: str, axes: int = 1, over: Sequence[str] = ()
) -> list[StoredRun]:
    """Of finished runs, oldest first, those that a figure shows; see FigureSpec.default and `axes`.

    over: the swept options that the user named for the axes.

    Raises UsageError for a name that does not exist or values that one figure cannot show together, and
    RunError for what is not stored, or not under the same conditions, with the command that makes it.
    """
    runs = _accepted(runs, wanted)
    if wanted.snapshots:
        runs = _with_snapshots(runs, wanted, which)
    if which in ("all", "settings"):
        shown = _sweep(runs, wanted, by_seed=which == "settings", axes=axes, over=over)
    else:
        shown = _alike(runs, wanted, which)
    _check_complete(shown, wanted, pooled=which in POOLED)
    return shown


def swept_names(over: str | None) -> tuple[str, ...]:
    """The settings and options that `--over` names, with commas between, options also as their flags."""
    names = [name for name in split_names(over or "") if name]
    plain = (each if (each := name.replace("-", "_")) in RUN_OPTIONS else name for name in names)
    return tuple(dict.fromkeys(plain))


def _accepted(runs: Sequence[StoredRun], wanted: RunFilter) -> list[StoredRun]:
    """The runs that a filter accepts. Raises RunError if a loss or a value has none."""
    check_stored([run.config for run in runs], wanted)
    return [run for run in runs if wanted.accepts(run.config)]


def check_stored(configs: Sequence[RunConfig], wanted: RunFilter, what: str = "finished run") -> None:
    """Raise RunError if a loss or a value of a filter has none of these runs, with those that exist and the
    command that makes it; UsageError for a setting that no loss asked for has."""
    wanted.check()
    stored = sorted({config.loss for config in configs})
    accepted = [config for config in configs if wanted.accepts(config)]
    losses = wanted.losses or ()
    if absent := [loss for loss in losses if not any(has_loss(config, loss) for config in configs)]:
        near = difflib.get_close_matches(absent[0], stored, n=3, cutoff=0.5) or stored
        others = f"; there are runs of {', '.join(at_most(near))}" if near else ""
        command = command_for(absent, wanted, _beside(accepted, losses))
        raise RunError(f"There is no {what} of {', '.join(absent)}{others}. {command} trains it.")
    for loss in losses:
        if not any(has_loss(config, loss) for config in accepted):
            of_loss = [config for config in configs if has_loss(config, loss)]
            raise _not_stored(of_loss, [loss], wanted, what, _beside(accepted, losses))
    if not accepted:
        raise _not_stored(configs, [], wanted, what)
    for name, values in wanted.values.items():
        present = {filtered_value(config, name, values) for config in accepted}
        if present == {None}:
            asked = [each for each in configs if not losses or any(has_loss(each, loss) for loss in losses)]
            if {filtered_value(config, name) for config in asked} != {None}:
                raise _not_stored(asked, losses, wanted, what)
            those = ", ".join(sorted({config.loss for config in accepted}))
            raise UsageError(f"{FILTER_OPTIONS[name].flag}: {those} has no such setting.")
        if missing := [value for value in values if value not in present]:
            alone = dataclasses.replace(wanted, values={**wanted.values, name: (missing[0],)})
            raise _not_stored(accepted, losses, alone, what)


def _with_snapshots(runs: Sequence[StoredRun], wanted: RunFilter, which: str) -> list[StoredRun]:
    """The runs that have snapshots. Raises RunError if a loss has none, for a run shown without."""
    kept = [run for run in runs if run.folder.has_snapshots]
    if not kept or not all(any(has_loss(run.config, loss) for run in kept) for loss in wanted.losses or ()):
        lacking = [run for run in _alike(runs, wanted, which) if not run.folder.has_snapshots]
        raise without_snapshots(lacking[0].folder)
    return kept


def _beside(accepted: Sequence[RunConfig], losses: Sequence[str]) -> RunConfig | None:
    """The newest run beside which a missing loss is to be shown; None if no other loss was asked for."""
    others = (each for each in reversed(accepted) if any(has_loss(each, loss) for loss in losses))
    return next(others, None)


def _not_stored(
    configs: Sequence[RunConfig],
    losses: Sequence[str],
    wanted: RunFilter,
    what: str,
    like: RunConfig | None = None,
) -> RunError:
    """The error for option values that no run has, with those that exist."""
    of = f" of {','.join(losses)}" if losses else ""
    stored = []
    for name in wanted.values:
        asked = wanted.values[name]
        values = {value for each in configs if (value := filtered_value(each, name, asked)) is not None}
        if values and not values & set(asked):
            titles = {str(value).partition("@")[0] for value in asked}  # of data that changed
            shown = sorted(
                values, key=lambda v: (str(v).partition("@")[0] not in titles, isinstance(v, str), v)
            )
            stored.append(f"{FILTER_OPTIONS[name].flag} {','.join(at_most(list(map(typed, shown))))}")
    there = f"; there are runs with {' and '.join(stored)}" if stored else ""
    with_values = f" with {wanted}" if wanted.values else ""
    return RunError(
        f"There is no {what}{of}{with_values}{there}. {command_for(losses, wanted, like)} makes "
        f"{'one' if len(losses) == 1 else 'some'}."
    )


def _alike(runs: Sequence[StoredRun], wanted: RunFilter, which: str) -> list[StoredRun]:
    """Runs of several losses under the same conditions, `compared` ones also of the same seed."""
    groups = groups_of_equal_conditions(runs, by_seed=which == "compared")
    preferred = wanted.losses or COMPARED_LOSSES
    if wanted.losses:
        _check_together(runs, groups, wanted)
        groups = [group for group in groups if len(_losses_in(group, preferred)) == len(preferred)]
    if which == "every":
        shown = max(groups, key=len)
        order = list(wanted.losses or sorted({run.config.loss for run in shown}))
        return sorted(shown, key=lambda run: (_position(order, run), _settings(run), run.seed))
    if which == "seeds" and not wanted.losses:
        group, losses = groups[0], [runs[-1].config.loss]
    else:
        group = max(groups, key=lambda each: len(_losses_in(each, preferred)))
        losses = _losses_in(group, preferred) or [group[-1].config.loss]
    newest = [next(run for run in reversed(group) if has_loss(run.config, loss)) for loss in losses]
    newest = list({run.config: run for run in newest}.values())
    if which != "seeds":
        return newest
    same = [[run for run in group if run.config.terms == each.config.terms] for each in newest]
    return [run for seeds in same for run in sorted(seeds, key=lambda run: run.seed)]


def _sweep(
    runs: Sequence[StoredRun], wanted: RunFilter, *, by_seed: bool, axes: int, over: Sequence[str]
) -> list[StoredRun]:
    """The sweep of the losses that are wanted; without them the newest sweep of any loss, by `over`."""
    newest_first = dict.fromkeys(run.config.loss for run in reversed(runs))
    sweeps = []
    for losses in [wanted.losses] if wanted.losses else [(loss,) for loss in newest_first]:
        shown, varied = _sweep_of(losses, runs, wanted, by_seed=by_seed, axes=axes, over=over)
        if len(varied) >= axes and {n for term, key in varied for n in (key, f"{term}.{key}")} >= {*over}:
            return shown
        sweeps.append((len(varied), shown))
    return max(sweeps, key=lambda each: each[0])[1]  # the figure says what is missing


def _sweep_of(
    losses: Sequence[str],
    runs: Sequence[StoredRun],
    wanted: RunFilter,
    *,
    by_seed: bool,
    axes: int,
    over: Sequence[str],
) -> tuple[list[StoredRun], set[tuple[str, str]]]:
    """Runs that differ in `axes` settings of a loss or swept options, and in no other condition: in as few
    options as possible, those of `over` and those asked for with several values among them. Also what they
    differ in, see `_varied`."""
    runs = [run for run in runs if any(has_loss(run.config, loss) for loss in losses)]
    swept = [name for name, option in RUN_OPTIONS.items() if option.sweep]
    several = [name for name in swept if len(wanted.values.get(name, ())) > 1]
    named = tuple(name for name in dict.fromkeys([*over, *several]) if name in RUN_OPTIONS)
    others = [name for name in swept if name not in named]
    freed = [
        (*named, *more)
        for n in range(max(0, axes - len(named)) + 1)
        for more in itertools.combinations(others, n)
    ]
    _check_together(runs, groups_of_equal_conditions(runs, named, by_seed=by_seed), wanted)
    groups = {free: groups_of_equal_conditions(runs, free, by_seed=by_seed) for free in freed}
    complete = [
        (free, group)
        for free, alike in groups.items()
        for group in alike
        if len(_losses_in(group, losses)) == len(losses)
    ]
    asked = {name: {*wanted.values[name]} for name in several}
    complete = [
        (free, group)
        for free, group in complete
        if all({getattr(run.config, name) for run in group} >= values for name, values in asked.items())
    ] or complete
    varied = [(free, group) for free, group in complete if len(_varied(group, free)) >= axes]
    fewest = [each for each in varied if len(each[0]) == len(varied[0][0])] or complete[:1]
    # the newest sweep of settings; of sweeps over options the largest, as any two runs differ in some option
    in_settings = len(fewest[0][0]) == len(named)
    free, shown = fewest[0] if in_settings else max(fewest, key=lambda each: len(each[1]))
    order = list(losses)
    shown = sorted(shown, key=lambda run: (_position(order, run), _settings(run), _options(run), run.seed))
    return shown, _varied(shown, free)


def _varied(runs: Sequence[StoredRun], free: Sequence[str]) -> set[tuple[str, str]]:
    """What runs differ in: settings of the loss with the most, and options of `free`; with the term."""
    varied = []
    for of_loss in _by_loss(runs).values():
        settings: list[dict[tuple[str, str], Value]] = [
            {
                (term.name, key): value
                for term in run.config.terms
                for key, value in (("lambda", term.weight), *term.settings)
            }
            for run in of_loss
        ]
        varied.append({key for key in settings[0] if len({each[key] for each in settings}) > 1})
    options = {("", name) for name in free if len({getattr(run.config, name) for run in runs}) > 1}
    return max(varied, key=len) | options


def _losses_in(group: Sequence[StoredRun], losses: Sequence[str]) -> list[str]:
    """Those of the losses that a run of the group was trained by."""
    return [loss for loss in losses if any(has_loss(run.config, loss) for run in group)]


def _by_loss(runs: Sequence[StoredRun]) -> dict[str, list[StoredRun]]:
    groups: dict[str, list[StoredRun]] = {}
    for run in runs:
        groups.setdefault(run.config.loss, []).append(run)
    return groups


def _check_together(
    runs: Sequence[StoredRun], groups: Sequence[Sequence[StoredRun]], wanted: RunFilter
) -> None:
    """Raise RunError unless one group has all losses that are wanted."""
    losses = wanted.losses or ()
    best = max(groups, key=lambda group: len(_losses_in(group, losses)))
    present = _losses_in(best, losses)
    absent = [loss for loss in losses if loss not in present]
    if not absent:
        return
    like = best[-1]
    other = next(run for run in reversed(runs) if has_loss(run.config, absent[0]))
    words = describe_differences([like, other])
    if like.seed != other.seed:
        words = [
            " · ".join(filter(None, [text, f"seed {run.seed}"]))
            for text, run in zip(words, (like, other), strict=True)
        ]
    raise RunError(
        f"{', '.join(present)} and {', '.join(absent)} were not trained under the same conditions "
        f"({present[0]}: {words[0]}; {absent[0]}: {words[1]}). {command_for(absent, wanted, like.config)} "
        "makes what is missing; --run shows runs of other conditions side by side."
    )


def _check_complete(shown: Sequence[StoredRun], wanted: RunFilter, *, pooled: bool) -> None:
    """Raise an error unless every value asked for is shown, and every seed of each loss asked for."""
    for name, values in wanted.values.items():
        present = {filtered_value(run.config, name, values) for run in shown}
        if len(values) > 1 and (absent := [value for value in values if value not in present]):
            asked = f"{FILTER_OPTIONS[name].flag} {','.join(map(typed, values))}"
            raise UsageError(
                f"{asked}: this figure cannot show {typed(absent[0])} beside the others; name one value, or "
                "the runs with --run."
            )
    for loss in wanted.losses or () if pooled else ():
        seeds = {run.seed for run in shown if has_loss(run.config, loss)}
        if absent := [seed for seed in wanted.values.get("seed", ()) if seed not in seeds]:
            like = next(run for run in shown if has_loss(run.config, loss)).config
            missing = dataclasses.replace(wanted, values={**wanted.values, "seed": tuple(absent)})
            raise RunError(
                f"There is no finished run of {loss} with seed {', '.join(map(str, absent))} under these "
                f"conditions. {command_for([loss], missing, like)} makes it."
            )


def _position(order: Sequence[str], run: StoredRun) -> int:
    return next((place for place, loss in enumerate(order) if has_loss(run.config, loss)), len(order))


def _settings(run: StoredRun) -> list[tuple[object, ...]]:
    return [(term.weight, term.settings) for term in run.config.terms]


def _options(run: StoredRun) -> list[Any]:
    return [getattr(run.config, name) for name, option in RUN_OPTIONS.items() if option.sweep]
