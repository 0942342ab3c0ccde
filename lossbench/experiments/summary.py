"""Outcomes of runs summarised: one row per setting, with intervals over the seeds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..runs.config import RunConfig
from ..runs.result import numbers_of
from ..specs.quantities import RUN_NUMBERS
from ..statistics import Interval, mean_interval


class Row(NamedTuple):
    """One setting over its seeds: intervals by metric; runs that diverged or failed are counted."""

    config: RunConfig
    intervals: Mapping[str, Interval]
    done: int
    diverged: int
    failed: int


def summarize(outcomes: Iterable[Any]) -> list[Row]:
    """One row per setting, in the order in which the settings first occur."""
    groups: dict[RunConfig, list[Any]] = {}
    for outcome in outcomes:
        groups.setdefault(dataclasses.replace(outcome.config, seed=0), []).append(outcome)
    rows = []
    for group in groups.values():
        results = [numbers_of(outcome.result) for outcome in group if outcome.status == "done"]
        names = dict.fromkeys([*RUN_NUMBERS, *(name for result in results for name in result)])
        values = {name: [result[name] for result in results if name in result] for name in names}
        rows.append(
            Row(
                config=group[0].config,
                intervals={name: mean_interval(numbers) for name, numbers in values.items()},
                done=len(results),
                diverged=sum(outcome.status == "diverged" for outcome in group),
                failed=sum(outcome.status not in ("done", "diverged") for outcome in group),
            )
        )
    return rows
