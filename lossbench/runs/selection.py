"""Which stored runs are shown together: those that a filter names, under the same conditions.

The conditions of a run are all its options but the loss with its settings and the seed. A figure shows runs
of the same conditions and the same seed, except for what it is about: it draws several seeds as one mean, or
the values of a swept option along an axis. Losses on pairs draw balanced batches instead of shuffled ones,
which is no other condition. What was asked for and is not stored is an error.
"""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import RunError, UsageError
from ..specs import Value, catalog
from ..specs import plugins as external
from ..specs.expressions import parse_sum
from .config import BASE_LOSS, COMPARED_LOSSES, LOSS_OPTIONS, RUN_OPTIONS, RunConfig
from .config_builder import make_config, sampling

if TYPE_CHECKING:
    from .store import RunFolder
    from .stored_run import StoredRun

FILTER_OPTIONS = {
    **LOSS_OPTIONS,
    **{name: option for name, option in RUN_OPTIONS.items() if option.on_command_line},
}
"""The options by which runs are filtered, by name."""
_BATCHES = ("sampler", "batch_size", "classes_per_batch", "samples_per_class")
_POOLED = ("seeds", "all", "every")  # see FigureSpec.default: figures that show several seeds as one


@dataclass(frozen=True, kw_only=True)
class RunFilter:
    """What is asked of runs.

    losses: as in `RunConfig.loss`, or as weighted sums; None: any. values: the allowed values of options, by
    the names of FILTER_OPTIONS; a setting of a loss says nothing about losses without it. snapshots: whether
    only runs that have snapshots are shown.
    """

    losses: tuple[str, ...] | None = None
    values: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    snapshots: bool = False

    def check(self) -> None:
        """Raise UsageError for a loss or a value that cannot exist, with near matches."""
        for loss in self.losses or ():
            for name, _ in parse_sum(loss):
                if not catalog.is_external(name) and name not in catalog.names("losses"):
                    catalog.spec("losses", name)  # raises
        for name, values in self.values.items():
            for value in values:
                FILTER_OPTIONS[name].check(value)

    def accepts(self, config: RunConfig) -> bool:
        """Whether a run has one of the losses and of the values of each option."""
        return (self.losses is None or any(has_loss(config, loss) for loss in self.losses)) and all(
            value is None or value in values
            for name, values in self.values.items()
            for value in (_value_of(config, name),)
        )

    def __str__(self) -> str:
        """The options as they are typed, without the losses."""
        return " ".join(
            f"{FILTER_OPTIONS[name].flag} {','.join(map(str, values))}"
            for name, values in self.values.items()
        )


def has_loss(config: RunConfig, loss: str) -> bool:
    """Whether a run was trained by this loss; weights that are written in it must be the run's."""
    if config.loss == loss:
        return True
    named = dict(parse_sum(loss))
    weights = {term.name: term.weight for term in config.terms}
    joined = weights.keys() - ({BASE_LOSS} if config.loss != "+".join(weights) else set())
    return named.keys() in (weights.keys(), joined) and all(
        weight is None or weights[name] == weight for name, weight in named.items()
    )


def select(
    runs: Sequence[StoredRun], wanted: RunFilter, which: str, axes: int = 1, over: Sequence[str] = ()
) -> list[StoredRun]:
    """Of finished runs, oldest first, those that a figure shows; see FigureSpec.default and `axes`.

    over: the swept options that the user named for the axes.

    Raises UsageError for a name that does not exist or values that one figure cannot show together, and
    RunError for what is not stored, or not under the same conditions, with the command that makes it.
    """
    runs = _accepted(runs, wanted)
    if which in ("all", "settings"):
        shown = _sweep(runs, wanted, by_seed=which == "settings", axes=axes, over=over)
    else:
        shown = _alike(runs, wanted, which)
    _check_complete(shown, wanted, pooled=which in _POOLED)
    return shown


def conditions(run: StoredRun) -> RunConfig:
    """What must be equal for runs to be comparable: the config without losses and seed."""
    precision = run.result.precision or run.config.precision
    return dataclasses.replace(run.config, terms=(), seed=0, precision=precision)


def describe_differences(runs: Sequence[StoredRun]) -> list[str]:
    """For each run in which conditions it differs from the others, like 'data set Digits · epochs 2'."""
    own = [_with_shuffled_batches(run, runs) for run in runs]
    names = [name for name in RUN_OPTIONS if len({getattr(each, name) for each in own}) > 1]
    return [" · ".join(_words(each, name) for name in names if name != "seed") for each in own]


def name_differences(runs: Iterable[StoredRun]) -> None:
    """Tell each run what its caption must say of its conditions and its seed beside the others."""
    runs = list(runs)
    seeds = len({run.seed for run in runs}) > 1
    for run, text in zip(runs, describe_differences(runs), strict=True):
        run.conditions, run.seed_in_caption = text, seeds


def one_seed(groups: Iterable[Sequence[StoredRun]]) -> list[StoredRun]:
    """One run of each group, of the seed that most groups have, the first of several; of a group without that
    seed its first run."""
    groups = [group for group in groups if group]
    counts = Counter(seed for group in groups for seed in {run.seed for run in group})
    seed = min(counts, key=lambda each: (-counts[each], each), default=0)
    shown = [next((run for run in group if run.seed == seed), group[0]) for group in groups]
    return list({run.config: run for run in shown}.values())


def command_for(losses: Sequence[str], wanted: RunFilter, like: RunConfig | None = None) -> str:
    """The command that trains these losses with the values of a filter, else under the conditions `like`."""
    values: dict[str, Any] = {}
    if like is not None:
        batches = [name for name in _BATCHES if name != "batch_size" or like.sampler != "shuffled"]
        values = _unlike_default(like, batches)
    values |= {name: ",".join(map(str, given)) for name, given in wanted.values.items()}
    if known := external.known_dataset(str(values.get("dataset"))):
        values["dataset"] = shlex.quote(known.location)
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
    whole = "+".join(f"{term.weight!r}*{term.name}" for term in config.terms)
    settings = {f"{term.name}.{key}": value for term in config.terms for key, value in term.settings}
    values = _unlike_default(config, loss=whole, settings=settings)
    weights = [term.weight for term in config.terms]
    lam = None if "+" in config.loss or not config.terms[-1].has_weight else weights[-1]
    for loss, weight in ((config.loss, None), (config.loss, lam), (whole, None)):  # the shortest that fits
        default = make_config(loss=loss, lam=weight, **values)
        if [term.weight for term in default.terms] == weights:
            break
    words = ["train", "--loss", loss, *([] if weight is None else ["--lambda", repr(weight)])]
    for term, other in zip(config.terms, default.terms, strict=True):
        for key, value in dict(term.settings).items():
            if value != dict(other.settings)[key]:
                name = config.setting_name(f"{term.name}.{key}")
                shown = str(value).lower() if isinstance(value, bool) else str(value)
                words += [f"--{name}", shown] if name in LOSS_OPTIONS else ["--set", f"{name}={shown}"]
    words += _flags(values)
    results = run.path.parent.parent
    words += [] if str(results) == "results" else ["--results", str(results)]
    return shlex.join(["lossbench", *words])


def without_snapshots(run: RunFolder) -> RunError:
    """The error for a stored run that kept none, with the command that helps."""
    return RunError(
        f"{run.name} is stored without snapshots; `{command_of(run)} --snapshots 30 --force` trains it anew "
        "and keeps them."
    )


def _unlike_default(config: RunConfig, omitted: Sequence[str] = (), **given: Any) -> dict[str, Any]:
    """The options of a config that differ from what they are without them, by name."""
    values: dict[str, Any] = {}
    for name, option in RUN_OPTIONS.items():
        if option.on_command_line and name not in omitted:
            value = getattr(config, name)
            if value != getattr(make_config(**given, **values), name):
                values[name] = config.unseen_names.replace(", ", ",") if name == "unseen" else value
    return values


def _flags(values: Mapping[str, Any]) -> list[str]:
    """Options of a run with their values, as words of a command."""
    words = []
    for name, value in values.items():
        flag = FILTER_OPTIONS[name].flag
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        else:
            words += [flag, ",".join(map(str, value)) if isinstance(value, tuple) else str(value)]
    return words


def _value_of(config: RunConfig, name: str) -> Value | None:
    """The value of an option of FILTER_OPTIONS; None for a setting that none of the losses has."""
    if name == "unseen":
        return config.unseen_names.replace(" ", "") or "none"
    if name == "init":
        return config.init.partition("@")[0] or "none"
    if name == "lambda":
        return config.value_of(name) if any(term.has_weight for term in config.terms) else None
    if name in LOSS_OPTIONS and not any(name in dict(term.settings) for term in config.terms):
        return None
    return config.value_of(name)


def _accepted(runs: Sequence[StoredRun], wanted: RunFilter) -> list[StoredRun]:
    """The runs that a filter accepts. Raises RunError if a loss or a value has none."""
    wanted.check()
    stored = sorted({run.config.loss for run in runs})
    accepted = [run for run in runs if wanted.accepts(run.config)]
    losses = wanted.losses or ()
    if absent := [loss for loss in losses if not any(has_loss(run.config, loss) for run in runs)]:
        near = difflib.get_close_matches(absent[0], stored, n=3, cutoff=0.5) or stored
        others = f"; there are runs of {', '.join(near)}" if near else ""
        command = command_for(absent, wanted)
        raise RunError(f"There is no finished run of {', '.join(absent)}{others}. {command} trains it.")
    for loss in losses:
        if not any(has_loss(run.config, loss) for run in accepted):
            raise _not_stored([run for run in runs if has_loss(run.config, loss)], [loss], wanted)
    if not accepted:
        raise _not_stored(runs, [], wanted)
    for name, values in wanted.values.items():
        present = {_value_of(run.config, name) for run in accepted}
        if missing := [value for value in values if value not in present]:
            alone = dataclasses.replace(wanted, values={**wanted.values, name: (missing[0],)})
            raise _not_stored(accepted, losses, alone)
    if wanted.snapshots:
        kept = [run for run in accepted if run.folder.has_snapshots]
        for loss in losses or ([] if kept else [accepted[-1].config.loss]):
            if not any(has_loss(run.config, loss) for run in kept):
                raise without_snapshots(
                    next(run.folder for run in reversed(accepted) if has_loss(run.config, loss))
                )
        accepted = kept
    return accepted


def _not_stored(runs: Sequence[StoredRun], losses: Sequence[str], wanted: RunFilter) -> RunError:
    """The error for options that no run has, with the values that there are."""
    of = f" of {','.join(losses)}" if losses else ""
    stored = []
    for name in wanted.values:
        values = {value for run in runs if (value := _value_of(run.config, name)) is not None}
        if values and not values & set(wanted.values[name]):
            shown = sorted(values, key=lambda value: (isinstance(value, str), value))
            stored.append(f"{FILTER_OPTIONS[name].flag} {','.join(map(str, shown))}")
    there = f"; there are runs with {' and '.join(stored)}" if stored else ""
    with_values = f" with {wanted}" if wanted.values else ""
    return RunError(
        f"There is no finished run{of}{with_values}{there}. {command_for(losses, wanted)} makes "
        f"{'one' if len(losses) == 1 else 'some'}."
    )


def _alike(runs: Sequence[StoredRun], wanted: RunFilter, which: str) -> list[StoredRun]:
    """Runs of several losses under the same conditions, `compared` ones also of the same seed."""
    groups = _groups(runs, by_seed=which == "compared")
    preferred = wanted.losses or COMPARED_LOSSES

    def losses_in(group: Sequence[StoredRun]) -> list[str]:
        return [loss for loss in preferred if any(has_loss(run.config, loss) for run in group)]

    if wanted.losses:
        _check_together(runs, groups, wanted, losses_in)
        groups = [group for group in groups if len(losses_in(group)) == len(preferred)]
    if which == "every":
        shown = max(groups, key=len)
        order = list(wanted.losses or sorted({run.config.loss for run in shown}))
        return sorted(shown, key=lambda run: (_position(order, run), _settings(run), run.seed))
    if which == "seeds" and not wanted.losses:
        group, losses = groups[0], [runs[-1].config.loss]
    else:
        group = max(groups, key=lambda each: len(losses_in(each)))
        losses = losses_in(group) or [group[-1].config.loss]
    newest = [next(run for run in reversed(group) if has_loss(run.config, loss)) for loss in losses]
    newest = list({run.config: run for run in newest}.values())
    if which != "seeds":
        return newest
    same = [[run for run in group if run.config.terms == each.config.terms] for each in newest]
    return [run for seeds in same for run in sorted(seeds, key=lambda run: run.seed)]


def _sweep(
    runs: Sequence[StoredRun], wanted: RunFilter, *, by_seed: bool, axes: int, over: Sequence[str]
) -> list[StoredRun]:
    """Runs that differ in `axes` settings of a loss or swept options, and in no other condition: in as few
    options as possible, those of `over` among them."""
    losses = wanted.losses or (runs[-1].config.loss,)
    runs = [run for run in runs if any(has_loss(run.config, loss) for loss in losses)]

    def losses_in(group: Sequence[StoredRun]) -> list[str]:
        return [loss for loss in losses if any(has_loss(run.config, loss) for run in group)]

    swept = [name for name, option in RUN_OPTIONS.items() if option.sweep and name not in over]
    named = tuple(name for name in over if name in RUN_OPTIONS)
    freed = [
        (*named, *more) for n in range(axes - len(named) + 1) for more in itertools.combinations(swept, n)
    ]
    _check_together(runs, _groups(runs, named, by_seed=by_seed), wanted, losses_in)
    groups = {free: _groups(runs, free, by_seed=by_seed) for free in freed}
    complete = [
        (free, group)
        for free, own in groups.items()
        for group in own
        if not wanted.losses or len(losses_in(group)) == len(losses)
    ]
    varied = [(free, group) for free, group in complete if _count_varied(group, free) >= axes]
    fewest = [each for each in varied if len(each[0]) == len(varied[0][0])] or complete[:1]
    # the newest sweep of settings; of sweeps over options the largest, as any two runs differ in some option
    shown = fewest[0][1] if len(fewest[0][0]) == len(named) else max(fewest, key=lambda each: len(each[1]))[1]
    order = list(losses)
    return sorted(shown, key=lambda run: (_position(order, run), _settings(run), _options(run), run.seed))


def _count_varied(runs: Sequence[StoredRun], free: Sequence[str]) -> int:
    """In how many settings of one loss, or of the options `free`, runs differ."""
    counts = []
    for own in _by_loss(runs).values():
        settings: list[dict[tuple[str, str], Value]] = [
            {
                (term.name, key): value
                for term in run.config.terms
                for key, value in (("lambda", term.weight), *term.settings)
            }
            for run in own
        ]
        counts.append(sum(len({each[key] for each in settings}) > 1 for key in settings[0]))
    return max(counts) + sum(len({getattr(run.config, name) for run in runs}) > 1 for name in free)


def _by_loss(runs: Sequence[StoredRun]) -> dict[str, list[StoredRun]]:
    groups: dict[str, list[StoredRun]] = {}
    for run in runs:
        groups.setdefault(run.config.loss, []).append(run)
    return groups


def _groups(runs: Sequence[StoredRun], free: Sequence[str] = (), *, by_seed: bool) -> list[list[StoredRun]]:
    """Runs under the same conditions but for the options `free`, and `by_seed` of one seed, together; those
    with the newest run first. A run with balanced batches by the nature of its loss is in several groups."""
    free = [name for name, option in RUN_OPTIONS.items() if name in free or option.source in free]
    free = [*free, *(_BATCHES if "batch_size" in free else ())]
    equal = {name: getattr(runs[0].config, name) for name in free}
    own = [
        (dataclasses.replace(conditions(run), **equal), run.seed if by_seed else 0, _balanced_by_loss(run))
        for run in runs
    ]
    groups: dict[tuple[RunConfig, int], list[int]] = {}
    for place, (shared, seed, _) in enumerate(own):
        groups.setdefault((shared, seed), []).append(place)
    with_pairs = {key: (_with_balanced_batches(key[0]), key[1]) for key in groups}
    exact = {key: list(places) for key, places in groups.items()}
    for key, balanced in with_pairs.items():
        if balanced != key:
            groups[key] = sorted(groups[key] + [p for p in exact.get(balanced, ()) if own[p][2]])
    newest_first = sorted(groups.values(), key=lambda places: (-places[-1], -len(places)))
    return [[runs[place] for place in places] for places in newest_first]


def _balanced_by_loss(run: StoredRun) -> bool:
    """Whether the batches are balanced because the loss compares samples; also for a loss from outside, whose
    SPEC is not read, as that would run its code."""
    balanced = any(term.external or term.spec.sampler == "balanced" for term in run.config.terms)
    return balanced and run.config.sampler == "balanced"


def _with_balanced_batches(shared: RunConfig) -> RunConfig:
    """The conditions with the batches that a loss on pairs draws under them."""
    if shared.sampler == "balanced":
        return shared
    values = {**dict.fromkeys(_BATCHES, 0), "sampler": "balanced", "batch_size": shared.batch_size}
    sizes: dict[str, Any] = sampling(values, (), shared.classes)
    return dataclasses.replace(shared, **sizes)


def _with_shuffled_batches(run: StoredRun, runs: Sequence[StoredRun]) -> RunConfig:
    """The conditions of a run; for a loss on pairs with the shuffled batches of another run where these are
    the same condition."""
    own = conditions(run)
    for other in runs if _balanced_by_loss(run) else ():
        batches = {name: getattr(other.config, name) for name in _BATCHES}
        shuffled = dataclasses.replace(own, **batches)
        if other.config.sampler == "shuffled" and _with_balanced_batches(shuffled) == own:
            return shuffled
    return own


def _words(config: RunConfig, name: str) -> str:
    option, value = RUN_OPTIONS[name], getattr(config, name)
    if name == "unseen":
        return f"unseen {config.unseen_names or 'none'}"
    if option.catalog:
        title = value if catalog.is_external(value, option.catalog) else catalog.title(option.catalog, value)
        return f"{option.help.rstrip('.').lower()} {title}"
    return (
        f"{name.replace('_', ' ')} {value:g}"
        if isinstance(value, float)
        else f"{name.replace('_', ' ')} {value}"
    )


def _check_together(
    runs: Sequence[StoredRun],
    groups: Sequence[Sequence[StoredRun]],
    wanted: RunFilter,
    losses_in: Callable[[Sequence[StoredRun]], Sequence[str]],
) -> None:
    """Raise RunError unless one group has all losses that are wanted."""
    best = max(groups, key=lambda group: len(losses_in(group)))
    present = losses_in(best)
    absent = [loss for loss in wanted.losses or () if loss not in present]
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
        present = {_value_of(run.config, name) for run in shown}
        if len(values) > 1 and (absent := [value for value in values if value not in present]):
            flag = FILTER_OPTIONS[name].flag
            raise UsageError(
                f"{flag} {','.join(map(str, values))}: this figure cannot show {absent[0]} beside the "
                "others; name one value, or the runs with --run."
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
