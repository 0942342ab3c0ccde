"""One number of every loss over seeds, and paired tests of losses by it, by the rules of PROTOCOL.md."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from ...experiments.comparison import ComparisonRow
from ...runs.config import BASE_LOSS
from ...runs.config_builder import make_config
from ...specs.quantities import format_value, higher_is_better, is_percent
from ...statistics import Interval, compare_paired, holm, max_t, mean_interval

TestMethod = Literal[
    "sign-flip tests, adjusted by Holm's method",
    "sign-flip tests, adjusted by step-down max-T",
    "paired t tests, adjusted by Holm's method",
]
LEVEL = 0.05
"""The adjusted p up to which a difference has a verdict."""
SHARED = 1.5
"""Ratio of the times of one loss above which other programs shared the machine."""


class Scores(NamedTuple):
    """One number of every loss: by loss and seed, the best mean first.

    seeds: how many were run, or pairs of a seed and one of several blocks. complete: losses without a failed
    run.
    """

    metric: str
    values: Mapping[str, Mapping[int, float]]
    seeds: int
    complete: frozenset[str]
    blocks: int = 1

    def interval(self, loss: str) -> Interval:
        """Mean and 95 % interval of a loss."""
        return mean_interval(list(self.values.get(loss, {}).values()))

    def text(self, loss: str) -> str:
        """The same as text, with its unit."""
        return format_value(self.metric, *self.interval(loss)[:2], unit=True)

    @property
    def leader(self) -> str:
        """The best loss among those without a failed run."""
        return next((loss for loss in self.values if loss in self.complete), next(iter(self.values)))

    @property
    def seeds_text(self) -> str:
        """How many seeds, or pairs, in words."""
        unit, more = ("seed", "s") if self.blocks == 1 else ("pair", "s of a seed and a split")
        return f"{self.seeds} {unit}{more if self.seeds > 1 else ''}"

    @property
    def tested_text(self) -> str:
        """The same, and the test of verdicts over them."""
        if self.seeds < 2:
            return f"{self.seeds_text}, no test"
        few = "too few for an exact test, so " if self.provisional else ""
        return f"{self.seeds_text}; {few}{choose_test(len(self.values), self.seeds)}"

    @property
    def provisional(self) -> bool:
        """Whether there are too few seeds for an exact test."""
        return "t tests" in choose_test(len(self.values), self.seeds)


def choose_test(losses: int, seeds: int) -> TestMethod:
    """The first method that can reach the level for so many losses against one over so many seeds: the
    sign-flip test cannot below six seeds, and Holm's method multiplies its smallest p by the losses."""
    smallest = 2.0 ** (1 - seeds)
    if (losses - 1) * smallest <= LEVEL:
        return "sign-flip tests, adjusted by Holm's method"
    if smallest <= LEVEL:
        return "sign-flip tests, adjusted by step-down max-T"
    return "paired t tests, adjusted by Holm's method"


def compare_scores(scores: Scores, baseline: str, losses: Sequence[str]) -> list[ComparisonRow]:
    """Each of the losses but the baseline against it at equal seeds, adjusted over them."""
    better = higher_is_better(scores.metric) is not False
    reference = scores.values.get(baseline, {})
    others = [loss for loss in losses if loss != baseline]
    paired = [compare_paired(scores.values[loss], reference, higher_is_better=better) for loss in others]
    method = choose_test(len(scores.values), scores.seeds)
    if "t tests" in method:
        paired = [each._replace(p=_t_test(each.differences), p_error=0.0) for each in paired]
    adjusted = _max_t(scores, reference, others) if "max-T" in method else holm([each.p for each in paired])
    return [
        ComparisonRow(
            dataset="",
            metric=scores.metric,
            baseline=baseline,
            baseline_label=baseline,
            loss=loss,
            title=loss,
            label=loss,
            settings="",
            done=len(scores.values[loss]),
            failed=scores.seeds - len(scores.values[loss]),
            paired=each,
            p_holm=p,
        )
        for loss, each, p in zip(others, paired, adjusted, strict=True)
    ]


def _t_test(differences: Sequence[float]) -> float:
    """The p value of a paired t test; NaN for fewer than two differences."""
    mean, half_width, count = mean_interval(differences)
    if count < 2 or half_width == 0:
        return math.nan if count < 2 else float(mean == 0)
    from scipy.stats import ttest_1samp

    return float(ttest_1samp(differences, 0.0).pvalue)


def _max_t(scores: Scores, reference: Mapping[int, float], losses: Sequence[str]) -> list[float]:
    seeds = sorted(reference)
    rows = [[scores.values[loss].get(seed, math.nan) - reference[seed] for seed in seeds] for loss in losses]
    return max_t(np.reshape(np.array(rows, dtype=float), (len(losses), len(seeds))))


def ratio(scores: Scores, above: str, below: str) -> Interval:
    """The number of one loss over that of another, at equal seeds: mean and 95 % interval."""
    upper, lower = scores.values[above], scores.values[below]
    return mean_interval([upper[seed] / lower[seed] for seed in sorted(upper.keys() & lower.keys())])


def difference_text(row: ComparisonRow) -> str:
    """A paired difference with its interval and unit."""
    points = " percentage points" if is_percent(row.metric) else ""
    return format_value(row.metric, *row.paired.difference[:2], signed=True) + points


def size_text(metric: str, size: float) -> str:
    """The size of a difference with its unit."""
    return format_value(metric, size) + (" percentage points" if is_percent(metric) else "")


def compares_by_cosine(loss: str) -> bool:
    """Whether a loss compares features by cosine, not by Euclidean distance."""
    return make_config(loss=loss).cosine


def classifies_by_means(loss: str) -> bool:
    """Whether a loss is tested by the nearest class mean, and softmax by class scores."""
    return make_config(loss=loss).rule != make_config(loss=BASE_LOSS).rule


def trains_on_balanced_batches(loss: str) -> bool:
    """Whether the batches of a loss are class-balanced, and those of softmax shuffled."""
    return make_config(loss=loss).sampler != make_config(loss=BASE_LOSS).sampler


def shared_machine(seconds: Scores) -> bool:
    """Whether the seconds of one and the same loss differ so much that other programs must have run, too."""
    return largest_ratio(seconds) > SHARED


def slow_seeds(seconds: Mapping[str, Mapping[int, float]]) -> set[int]:
    """The seeds at which a loss takes much longer than at its fastest: other programs ran, too, or machine or
    version were slower. None where fewer than three others would be left."""
    seeds = {seed for each in seconds.values() for seed in each}
    slow = {s for each in seconds.values() for s, time in each.items() if time > SHARED * min(each.values())}
    return slow if len(seeds - slow) > 2 else set()


def largest_ratio(scores: Scores) -> float:
    """The largest ratio of two numbers of one and the same loss."""
    return max((max(each.values()) / min(each.values()) for each in scores.values.values()), default=1.0)
