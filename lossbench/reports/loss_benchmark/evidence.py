"""The evidence of the benchmark: the numbers of its parts, losses compared, groups of losses.

Everything is computed from the documents of the parts, never from runs.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ...experiments.comparison import ComparisonRow
from ...experiments.summary import SettingRow
from ...records import Result
from ...runs.config import BASE_LOSS, dataset_title
from ...specs.quantities import better_sign
from ..document import Document
from .documents import QUICK
from .scores import Scores, compare_scores, slow_seeds

_STRIDE = 1_000_000  # between the seeds of two blocks that are pooled


class Block(NamedTuple):
    """The rows of all losses under one condition, by short name."""

    label: str
    rows: Mapping[str, SettingRow]

    @property
    def seeds(self) -> list[int]:
        """Seeds that were run for every loss."""
        return sorted(set[int].intersection(*(set(row.runs) for row in self.rows.values())))


class Evidence:
    """The parts of a results folder, and what follows from them. Nothing is computed twice.

    documents: all of them. parts: those that are not only failures.
    """

    def __init__(self, parts: Mapping[str, Document]) -> None:
        self.documents = parts
        self.parts = {name: each for name, each in parts.items() if _has_numbers(each)}
        self._known: dict[tuple[object, ...], Any] = {}

    @property
    def quick(self) -> bool:
        """Whether a part is of a quick run, which decides nothing."""
        return any(document.title.endswith(QUICK) for document in self.documents.values())

    def blocks(self, part: str) -> list[Block]:
        """The blocks of a part by their order in the document."""
        by_label: dict[str, dict[str, SettingRow]] = {}
        for row in self.documents[part].settings:
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
        seeds = {number * _STRIDE + seed for number, each in enumerate(blocks) for seed in each.seeds}
        if metric == "seconds":
            seeds -= slow_seeds(values)
            values = {loss: {s: v for s, v in each.items() if s in seeds} for loss, each in values.items()}
        order = sorted(
            (loss for loss in values if values[loss]),
            key=lambda loss: -(better_sign(metric) or 1) * np.mean(list(values[loss].values())),
        )
        failed = {loss for each in blocks for loss, row in each.rows.items() if row.diverged or row.failed}
        return Scores(
            metric,
            {loss: values[loss] for loss in order},
            len(seeds),
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
                equal = {row.loss for row in rows if not row.decided}
                groups.append([loss for loss in left if loss == best or loss in equal])
                left = [loss for loss in left if loss not in groups[-1]]
            return groups

        return self._once(("groups", part, metric), find)

    def _once(self, key: tuple[object, ...], compute: Callable[[], Result]) -> Result:
        if key not in self._known:
            self._known[key] = compute()
        result: Result = self._known[key]
        return result


def gains(evidence: Evidence, metric: str) -> Scores:
    """What each loss gains by tuned settings, at the seeds of both parts; '' is the baseline, 0."""
    before, after = (evidence.scores(part, metric).values for part in ("defaults", "tuned"))
    first, second = (set(evidence.blocks(part)[0].seeds) for part in ("defaults", "tuned"))
    values = {
        loss: {seed: tuned[seed] - before[loss][seed] for seed in tuned if seed in before[loss]}
        for loss, tuned in after.items()
        if loss in before
    }
    seeds = first & second
    return Scores(metric, {**values, "": dict.fromkeys(seeds, 0.0)}, len(seeds), frozenset())


def tuned_rows(evidence: Evidence, metric: str) -> list[ComparisonRow]:
    """Each loss with tuned settings against itself at the defaults, adjusted over losses."""
    scores = gains(evidence, metric)
    return compare_scores(scores, "", list(scores.values))


def _has_numbers(document: Document) -> bool:
    return not document.settings or any(row.done for row in document.settings)


def _label(row: SettingRow) -> str:
    """What distinguishes the block of a row."""
    unseen, dim = row.config.get("unseen"), row.config.get("feature_dim", 2)
    parts = [dataset_title(row.dataset)]
    parts += [f"{dim}-D"] if dim != 2 else []
    parts += [f"unseen {','.join(map(str, unseen))}"] if isinstance(unseen, list | tuple) and unseen else []
    return ", ".join(parts)
