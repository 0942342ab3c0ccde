"""Losses against a baseline over the same seeds: who is better, by how much, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..runs.config import RunConfig
from ..runs.outcome import Outcome
from ..runs.result import Status
from ..specs.quantities import higher_is_better
from ..statistics import PairedDifference, Verdict, compare_paired, holm, seeds_needed


class Entry(NamedTuple):
    """One loss against the baseline: its runs (done, and diverged or failed), the comparison, and p adjusted
    for the whole family."""

    config: RunConfig
    done: int
    troubled: int
    comparison: PairedDifference
    adjusted: float

    @property
    def verdict(self) -> Verdict:
        """What can be said of it at the 5 % level."""
        return self.comparison.verdict(self.adjusted)

    @property
    def missing(self) -> str:
        """Failed runs, or seeds that only one of the two has a number for; empty when there are none."""
        pairs, alone = self.comparison.n, self.comparison.unpaired
        if self.troubled:
            return f"{self.troubled} of {self.done + self.troubled} failed"
        return f"{pairs} of {pairs + alone} paired" if alone else ""


class Contest(NamedTuple):
    """All losses against one baseline, by one metric, on one data set."""

    metric: str
    baseline: RunConfig
    entries: tuple[Entry, ...]


def contests(
    groups: Mapping[str, Sequence[Outcome]], baseline: str, metrics: Sequence[str], datasets: Sequence[str]
) -> list[Contest]:
    """Every loss against the baseline, for each metric that has a better side, on each data set.

    `groups` are the outcomes by loss as the user named it. Holm's family is all comparisons made here; one
    without two pairs of finite numbers is not made.
    """
    judged = [metric for metric in metrics if higher_is_better(metric) is not None]
    found = [_contest(groups, baseline, metric, dataset) for dataset in datasets for metric in judged]
    family = [entry.comparison for contest in found for entry in contest.entries]
    adjusted = dict(zip(map(id, family), holm([comparison.p for comparison in family]), strict=True))
    level = 0.05 / max(1, family_size(found))

    def judge(entry: Entry) -> Entry:
        needed = seeds_needed(entry.comparison.differences, level=level)
        own = entry.comparison._replace(needed=needed)
        return entry._replace(comparison=own, adjusted=adjusted[id(entry.comparison)])

    return [contest._replace(entries=tuple(map(judge, contest.entries))) for contest in found]


def family_size(found: Sequence[Contest]) -> int:
    """How many comparisons were made, which is what Holm's method counts."""
    entries = [entry for contest in found for entry in contest.entries]
    return sum(not math.isnan(entry.comparison.p) for entry in entries)


def labels(configs: Sequence[RunConfig]) -> list[str]:
    """Titles, with the settings where a title alone is not unique."""
    titles = [config.title for config in configs]
    return [
        f"{title} ({config.subtitle})" if titles.count(title) > 1 and config.subtitle else title
        for title, config in zip(titles, configs, strict=True)
    ]


def _contest(groups: Mapping[str, Sequence[Outcome]], baseline: str, metric: str, dataset: str) -> Contest:
    own = {name: [o for o in outcomes if o.config.dataset == dataset] for name, outcomes in groups.items()}
    reference = _by_seed(own[baseline], metric)
    better = higher_is_better(metric) is not False
    entries = []
    for name, outcomes in own.items():
        if name == baseline:
            continue
        values = _by_seed(outcomes, metric)
        comparison = compare_paired(values, reference, higher_is_better=better)
        done = sum(outcome.status is Status.DONE for outcome in outcomes)
        entries.append(Entry(outcomes[0].config, done, len(outcomes) - done, comparison, math.nan))
    return Contest(metric, own[baseline][0].config, tuple(entries))


def _by_seed(outcomes: Sequence[Outcome], metric: str) -> dict[int, float]:
    found = {o.config.seed: o.numbers for o in outcomes if o.status is Status.DONE}
    return {seed: numbers[metric] for seed, numbers in found.items() if metric in numbers}


def scores_by_dataset(
    groups: Mapping[str, Sequence[Outcome]], metric: str, datasets: Sequence[str]
) -> np.ndarray | None:
    """Mean score (data sets, losses); None unless every loss has one on every data set."""
    table = []
    for dataset in datasets:
        on_it = [[o for o in group if o.config.dataset == dataset] for group in groups.values()]
        table.append([list(_by_seed(outcomes, metric).values()) for outcomes in on_it])
    if not all(values for line in table for values in line):
        return None
    return np.array([[np.mean(values) for values in line] for line in table])
