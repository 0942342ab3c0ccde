"""Outcomes of runs summarised: one row per setting, with intervals over the seeds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ..runs.config import RunConfig
from ..runs.outcome import Outcome
from ..runs.result import Status
from ..specs.quantities import RUN_NUMBERS
from ..statistics import Interval, mean_interval


class Row(NamedTuple):
    """One setting over its seeds: intervals by metric; runs that diverged or failed are counted."""

    config: RunConfig
    intervals: Mapping[str, Interval]
    done: int
    diverged: int
    failed: int


def summarize(outcomes: Iterable[Outcome]) -> list[Row]:
    """One row per setting, in the order in which the settings first occur."""
    groups: dict[RunConfig, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(dataclasses.replace(outcome.config, seed=0), []).append(outcome)
    rows = []
    for group in groups.values():
        results = [outcome.numbers for outcome in group if outcome.status is Status.DONE]
        names = dict.fromkeys([*RUN_NUMBERS, *(name for result in results for name in result)])
        values = {name: [result[name] for result in results if name in result] for name in names}
        rows.append(
            Row(
                config=group[0].config,
                intervals={name: mean_interval(numbers) for name, numbers in values.items()},
                done=len(results),
                diverged=sum(outcome.status is Status.DIVERGED for outcome in group),
                failed=sum(outcome.status not in (Status.DONE, Status.DIVERGED) for outcome in group),
            )
        )
    return rows
