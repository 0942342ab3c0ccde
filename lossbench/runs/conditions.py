"""The conditions of runs: all their options but the losses with their settings and the seed.

Losses on pairs draw balanced batches where others draw shuffled ones; that does not make conditions differ.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..specs import catalog, value_text
from ..tables import distinct
from .config import RUN_OPTIONS, RunConfig
from .config_builder import sampling

if TYPE_CHECKING:
    from .stored_run import StoredRun

BATCH_OPTIONS = ("sampler", "batch_size", "classes_per_batch", "samples_per_class")


def conditions(run: StoredRun) -> RunConfig:
    """What must be equal for runs to be comparable: the config without losses and seed."""
    return dataclasses.replace(_as_trained(run), terms=(), seed=0)


def describe_differences(runs: Sequence[StoredRun]) -> list[str]:
    """For each run the conditions in which it differs from the others, like 'data set Digits · epochs 2'."""
    return condition_differences(list(map(_as_trained, runs)))


def condition_differences(configs: Sequence[RunConfig], without: Sequence[str] = ()) -> list[str]:
    """The same from configs, the options `without` aside."""
    shared = _with_shuffled_batches(configs)
    return [" · ".join(words) for words in option_differences(shared, without)]


def option_differences(configs: Sequence[RunConfig], without: Sequence[str] = ()) -> list[list[str]]:
    """For each config the options in which it differs from the others, like 'epochs 2'; not the seed."""
    names = [name for name in RUN_OPTIONS if name not in ("seed", *without)]
    names = [name for name in names if len({getattr(each, name) for each in configs}) > 1]
    return [
        [_difference_text(each, name) for name in names if getattr(each, name) is not None]  # has no such
        for each in configs
    ]


def distinguishing_conditions(shown: Sequence[StoredRun], others: Sequence[StoredRun]) -> str:
    """The conditions that all runs shown have, and others do not, like 'epochs 2'."""
    configs = _with_shuffled_batches(list(map(_as_trained, [*shown, *others])))
    first, *more = option_differences(configs)[: len(shown)]
    return " · ".join(word for word in first if all(word in words for words in more))


def name_differences(runs: Iterable[StoredRun]) -> None:
    """Set `title` and `conditions` of each run: what must be said of it beside the others."""
    runs = list(runs)
    titles = unique_titles([run.config for run in runs])
    for run, title, text in zip(runs, titles, describe_differences(runs), strict=True):
        run.title, run.conditions = title, text


def unique_titles(configs: Sequence[RunConfig]) -> list[str]:
    """The title of each loss; its name where other losses have the same title, as classes of a user may."""
    return distinct([config.title for config in configs], [config.loss for config in configs])


def one_seed(groups: Iterable[Sequence[StoredRun]]) -> list[StoredRun]:
    """One run of each group: that of the seed which most groups have, or the group's first run."""
    groups = [group for group in groups if group]
    counts = Counter(seed for group in groups for seed in {run.seed for run in group})
    seed = min(counts, key=lambda each: (-counts[each], each), default=0)
    shown = [next((run for run in group if run.seed == seed), group[0]) for group in groups]
    return list({run.config: run for run in shown}.values())


def groups_of_equal_conditions(
    runs: Sequence[StoredRun], free: Sequence[str] = (), *, by_seed: bool
) -> list[list[StoredRun]]:
    """Groups of runs under the same conditions, the options `free` aside, and with `by_seed` of one seed; the
    group with the newest run first. A run whose loss needs balanced batches may be in several groups."""
    free = [name for name, option in RUN_OPTIONS.items() if name in free or option.source in free]
    free = [*free, *(BATCH_OPTIONS if "batch_size" in free else ())]
    equal = {name: getattr(runs[0].config, name) for name in free}
    keys = [
        (
            dataclasses.replace(conditions(run), **equal),
            run.seed if by_seed else 0,
            _balanced_by_loss(run.config),
        )
        for run in runs
    ]
    groups: dict[tuple[RunConfig, int], list[int]] = {}
    for place, (shared, seed, _) in enumerate(keys):
        groups.setdefault((shared, seed), []).append(place)
    with_pairs = {key: (_with_balanced_batches(key[0]), key[1]) for key in groups}
    exact = {key: list(places) for key, places in groups.items()}
    for key, balanced in with_pairs.items():
        if balanced != key:
            groups[key] = sorted(groups[key] + [p for p in exact.get(balanced, ()) if keys[p][2]])
    newest_first = sorted(groups.values(), key=lambda places: (-places[-1], -len(places)))
    return [[runs[place] for place in places] for places in newest_first]


def _as_trained(run: StoredRun) -> RunConfig:
    """The config of a run, with the precision that the machine chose."""
    return dataclasses.replace(run.config, precision=run.result.precision or run.config.precision)


def _balanced_by_loss(config: RunConfig) -> bool:
    """Whether the batches are balanced because the loss compares samples. True also for a loss from outside:
    reading its SPEC would run its code."""
    balanced = any(term.external or term.spec.sampler == "balanced" for term in config.terms)
    return balanced and config.sampler == "balanced"


def _with_balanced_batches(shared: RunConfig) -> RunConfig:
    """The conditions with the batches that a loss on pairs draws under them."""
    if shared.sampler == "balanced":
        return shared
    values = {**dict.fromkeys(BATCH_OPTIONS, 0), "sampler": "balanced", "batch_size": shared.batch_size}
    sizes: dict[str, Any] = sampling(values, (), shared.classes)
    return dataclasses.replace(shared, **sizes)


def _with_shuffled_batches(configs: Sequence[RunConfig]) -> list[RunConfig]:
    """The configs, those of losses on pairs with the shuffled batches of another config where these are the
    same condition."""
    shuffled = [config for config in configs if config.sampler == "shuffled"]
    batches = dict.fromkeys(tuple(getattr(each, name) for name in BATCH_OPTIONS) for each in shuffled)
    found = []
    for config in configs:
        alike = (
            dataclasses.replace(config, **dict(zip(BATCH_OPTIONS, each, strict=True))) for each in batches
        )
        same = (each for each in alike if _with_balanced_batches(each) == config)
        found.append(next(same, config) if _balanced_by_loss(config) else config)
    return found


def _difference_text(config: RunConfig, name: str) -> str:
    option, value = RUN_OPTIONS[name], getattr(config, name)
    value = option.shown(config.unseen_names if name == "unseen" else value)
    if option.catalog:
        title = value if catalog.is_external(value, option.catalog) else catalog.title(option.catalog, value)
        return f"{option.help.rstrip('.').lower()} {title}"
    shown = value_text(value) if isinstance(value, float | bool) else value
    return f"{name.replace('_', ' ')} {shown}"
