"""What the benchmark says: its parts as JSON, and statistics of them by the rules of PROTOCOL.md.

Everything is computed from the documents of the parts, never from runs.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from ..errors import RunError
from ..experiments.comparison import ComparisonRow
from ..experiments.loss_benchmark import DECIDING, PARTS, Part
from ..experiments.summary import SettingRow, summarize
from ..files import read_json
from ..records import Result
from ..runs.config import BASE_LOSS, dataset_title
from ..runs.config_builder import make_config
from ..runs.outcome import Outcome
from ..runs.store import Store
from ..specs.quantities import better_sign, format_value, higher_is_better, is_percent
from ..statistics import Interval, compare_paired, holm, max_t, mean_interval
from .conditions_text import conditions
from .document import Document, parse_document, write_document

QUICK = " (quick)"
"""At the end of the title of a part that was run with `--quick`."""
TestMethod = Literal[
    "sign-flip tests, adjusted by Holm's method",
    "sign-flip tests, adjusted by step-down max-T",
    "paired t tests, adjusted by Holm's method",
]
LEVEL = 0.05
"""The adjusted p up to which a difference has a verdict."""
_STRIDE = 1_000_000  # between the seeds of two blocks that are pooled


def write_part(
    store: Store,
    name: str,
    part: Part,
    outcomes: Sequence[Outcome],
    *,
    command: str,
    tuning: str = "",
    data: Sequence[Mapping[str, Any]] = (),
    quick: bool = False,
) -> None:
    """Write the document of a part. Raises ForeignFile for a file that no command of lossbench wrote."""
    document = Document(
        kind="benchmark",
        title=part.title + QUICK * quick,
        command=command,
        conditions=" ".join(filter(None, [conditions(outcomes, part.metrics), tuning])),
        metrics=part.metrics,
        settings=[_without_others(row, part.metrics) for row in summarize(outcomes, part.axes)],
        data=data,
    )
    write_document(store.benchmark / f"{name}.json", document)


def _without_others(row: SettingRow, metrics: Sequence[str]) -> SettingRow:
    """The row with the numbers that the protocol names and no others: a document holds a thousand runs."""
    return row._replace(
        metrics={name: interval for name, interval in row.metrics.items() if name in metrics},
        by_seed={
            seed: {name: value for name, value in numbers.items() if name in metrics}
            for seed, numbers in row.by_seed.items()
        },
    )


def read_parts(store: Store) -> dict[str, Document]:
    """The documents of the parts that are there, in the order of PARTS. Raises RunError for one that is
    damaged or of an earlier version."""
    documents = {}
    for name in PARTS:
        path = store.benchmark / f"{name}.json"
        data = read_json(path)
        if data is None:
            continue
        documents[name] = parse_document(path, data)
        needed = [metric for metric in PARTS[name].metrics if metric in DECIDING]
        if documents[name].settings and (lacks := set(needed) - set(documents[name].metrics)):
            raise RunError(
                f"{path} is of an earlier version, without {', '.join(sorted(lacks))}; run "
                f"`{documents[name].command}` again."
            )
    return documents


class Block(NamedTuple):
    """The rows of all losses under one condition, by short name."""

    label: str
    rows: Mapping[str, SettingRow]

    @property
    def seeds(self) -> list[int]:
        """Seeds that were run for every loss."""
        return sorted(set[int].intersection(*(set(row.runs) for row in self.rows.values())))


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


class Evidence:
    """The parts of a results folder, and what follows from them. Nothing is computed twice."""

    def __init__(self, parts: Mapping[str, Document]) -> None:
        self.parts = parts
        self._known: dict[tuple[object, ...], Any] = {}

    @property
    def quick(self) -> bool:
        """Whether a part is of a quick run, which decides nothing."""
        return any(document.title.endswith(QUICK) for document in self.parts.values())

    def blocks(self, part: str) -> list[Block]:
        """The blocks of a part by their order in the document."""
        by_label: dict[str, dict[str, SettingRow]] = {}
        for row in self.parts[part].settings:
            by_label.setdefault(_label(row), {})[row.loss] = row
        return [Block(label, rows) for label, rows in by_label.items()]

    def scores(self, part: str, metric: str, block: int | None = None) -> Scores:
        """The numbers of a part, of one block or of all: a seed of two blocks is then two pairs."""
        return self._once(("scores", part, metric, block), lambda: self._scores(part, metric, block))

    def _scores(self, part: str, metric: str, block: int | None) -> Scores:
        blocks = [each for n, each in enumerate(self.blocks(part)) if block in (None, n)]
        values: dict[str, dict[int, float]] = {loss: {} for loss in blocks[0].rows}
        for number, each in enumerate(blocks):
            for loss, row in each.rows.items():
                for seed in each.seeds:
                    if metric in row.by_seed.get(seed, {}):
                        values[loss][number * _STRIDE + seed] = row.by_seed[seed][metric]
        order = sorted(
            (loss for loss in values if values[loss]),
            key=lambda loss: -(better_sign(metric) or 1) * np.mean(list(values[loss].values())),
        )
        failed = {loss for each in blocks for loss, row in each.rows.items() if row.diverged or row.failed}
        return Scores(
            metric,
            {loss: values[loss] for loss in order},
            sum(len(each.seeds) for each in blocks),
            frozenset(order) - failed,
            len(blocks),
        )

    def against(self, part: str, metric: str, baseline: str = BASE_LOSS) -> list[ComparisonRow]:
        """Each loss against softmax or another, the best first."""
        scores = self.scores(part, metric)
        return self._once(
            ("against", part, metric, baseline),
            lambda: compare_scores(scores, baseline, list(scores.values)),
        )

    def groups(self, part: str, metric: str) -> list[list[str]]:
        """Losses not distinguishable from the best of those left, the best first; then of the rest."""

        def find() -> list[list[str]]:
            scores = self.scores(part, metric)
            left, groups = list(scores.values), []
            while left:
                best = next((loss for loss in left if loss in scores.complete), left[0])
                rows = compare_scores(scores, best, left)
                equal = {row.loss for row in rows if row.verdict == "not distinguishable"}
                groups.append([loss for loss in left if loss == best or loss in equal])
                left = [loss for loss in left if loss not in groups[-1]]
            return groups

        return self._once(("groups", part, metric), find)

    def _once(self, key: tuple[object, ...], compute: Callable[[], Result]) -> Result:
        if key not in self._known:
            self._known[key] = compute()
        result: Result = self._known[key]
        return result


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


def _label(row: SettingRow) -> str:
    """What distinguishes the block of a row."""
    unseen, dim = row.config.get("unseen"), row.config.get("feature_dim", 2)
    parts = [dataset_title(row.dataset)]
    parts += [f"{dim}-D"] if dim != 2 else []
    parts += [f"unseen {','.join(map(str, unseen))}"] if isinstance(unseen, list | tuple) and unseen else []
    return ", ".join(parts)
