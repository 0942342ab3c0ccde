"""Outcomes of runs summarized: one row per setting, with intervals over its seeds."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ..runs.conditions import unique_titles
from ..runs.config import RunConfig
from ..runs.outcome import Outcome
from ..runs.result import Status
from ..specs import Value
from ..specs.quantities import RUN_NUMBERS
from ..statistics import Interval, mean_interval


class SettingRow(NamedTuple):
    """One setting over its seeds.

    loss: short name. title, settings: as people write them. config: plain data of the first seed's RunConfig.
    runs: run names by seed. metrics: intervals by name. swept: the values of the options that vary.
    by_seed: the numbers of each run, none where it diverged or failed; empty in older documents.
    """

    loss: str
    title: str
    settings: str
    dataset: str
    rule: str
    config: Mapping[str, object]
    runs: Mapping[int, str]
    done: int
    diverged: int
    failed: int
    metrics: Mapping[str, Interval]
    swept: Mapping[str, Value]
    by_seed: Mapping[int, Mapping[str, float]] = {}


def summarize(outcomes: Iterable[Outcome], swept: Iterable[str] = ()) -> list[SettingRow]:
    """One row per setting, in the order in which the settings first occur; `swept` options vary."""
    groups: dict[RunConfig, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(dataclasses.replace(outcome.config, seed=0), []).append(outcome)
    rows = []
    titles = unique_titles(list(groups))
    for title, group in zip(titles, groups.values(), strict=True):
        config, statuses = group[0].config, [outcome.status for outcome in group]
        done, diverged = statuses.count(Status.DONE), statuses.count(Status.DIVERGED)
        numbers = [outcome.numbers for outcome in group]
        names = dict.fromkeys([*RUN_NUMBERS, *(name for values in numbers for name in values)])
        rows.append(
            SettingRow(
                loss=config.loss,
                title=title,
                settings=config.subtitle,
                dataset=config.dataset,
                rule=config.rule,
                config=config.to_dict(),
                runs={outcome.config.seed: outcome.config.run_name for outcome in group},
                done=done,
                diverged=diverged,
                failed=len(group) - done - diverged,
                metrics={
                    name: mean_interval([values[name] for values in numbers if name in values])
                    for name in names
                },
                swept={option: config.value_of(option) for option in swept},
                by_seed={outcome.config.seed: outcome.numbers for outcome in group},
            )
        )
    return rows
