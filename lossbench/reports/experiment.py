"""What a comparison or a sweep found: its document, the tables and figures of it, and the runs."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import LossbenchError, UsageError, unknown_name
from ..experiments.comparison import compare_losses, mean_scores, unique_labels
from ..experiments.grid import varied_axes
from ..experiments.summary import summarize
from ..files import read_json, slug
from ..runs.conditions import name_differences, one_seed
from ..runs.config import RunConfig, dataset_spec
from ..runs.outcome import Outcome
from ..runs.run import Run
from ..runs.store import Store
from ..runs.stored_run import StoredRun, done_runs
from ..specs import Value, catalog, symbol
from ..specs.quantities import higher_is_better
from ..tables import Table, counted
from .conditions_text import conditions
from .document import Document, Drawing, comparison_title, parse_document
from .result_tables import COLUMNS, differences_table, latex, markdown, results_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..experiments.comparison import ComparisonRow

_PANEL_LOSSES = 5  # beyond that one column per loss is too narrow to read


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Experiment:
    """A set of runs with its tables and figures. A notebook shows the tables.

    document: what was found, as `--json` prints it. outcomes: the outcome of each run. name: of its files.
    """

    store: Store
    name: str
    document: Document
    outcomes: Sequence[Outcome]

    @property
    def runs(self) -> list[Run]:
        """The runs that are done."""
        return list(map(Run, done_runs(self.store, self.outcomes)))

    def table(self) -> Table:
        """One line per loss or setting: means over its seeds with 95 % intervals, as text."""
        return results_table(self.document.settings, self.document.metrics)

    def to_latex(self) -> str:
        """All tables in LaTeX; they need no package."""
        return latex(self.document, self.name)

    def drawings(self) -> Iterator[Drawing]:
        """The figures that show it, as files of the results folder."""
        raise NotImplementedError

    def figure(self, kind: str | None = None, *, style: str = "paper") -> Figure:
        """A figure of it; by default the first that the command draws. `style` is paper, slides or dark.

        Raises UsageError for a kind that it does not have.
        """
        drawings = list(self.drawings())
        if not drawings:
            raise UsageError("There is no figure: too few runs are done.")
        for drawing in drawings:
            if kind in (None, drawing.kind):
                return drawing.figure(style)
        raise unknown_name("figure of this", str(kind), {drawing.kind for drawing in drawings})

    def __str__(self) -> str:
        return markdown(self.document)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {counted(len(self.outcomes), 'run')}, {self.document.title}>"

    _repr_markdown_ = __str__  # a notebook shows it


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Comparison(Experiment):
    """Losses compared with a baseline over the same seeds.

    groups: the outcomes of each loss, by the name that the user gave it.
    """

    groups: Mapping[str, Sequence[Outcome]]

    @property
    def rows(self) -> Sequence[ComparisonRow]:
        """Each loss against the baseline by each metric: paired differences, p values, verdict. Empty for a
        single seed."""
        return self.document.against

    def differences(self) -> Table:
        """The same as a table of text. Raises UsageError for a single seed."""
        if not self.rows:
            raise UsageError("Differences need two losses and two seeds.")
        return differences_table(self.rows)

    def drawings(self) -> Iterator[Drawing]:
        """For each data set the features of one seed of each loss, and with several seeds the paired
        differences by the first metric that has any; with several data sets the mean ranks."""
        from .figure_files import compose_forest

        document, name, figures = self.document, self.name, self.store.figures
        runs = [done_runs(self.store, outcomes) for outcomes in self.groups.values()]
        datasets = list(dict.fromkeys(row.dataset for row in document.settings))
        for dataset in datasets:
            by_loss = [[run for run in group if run.config.dataset == dataset] for group in runs]
            suffix = "" if len(datasets) == 1 else f"-{slug(dataset)}"
            first = one_seed(by_loss)
            if not first:
                continue
            name_differences(first)
            kind = "features" if len(first) <= _PANEL_LOSSES else "lambda-grid"
            yield Drawing(figures / f"{name}{suffix}.png", kind, first)
            rows = [row for row in document.against if row.dataset == dataset]
            measured = [row.metric for row in rows if row.paired.n]
            if measured:
                shown = list({run.name: run for group in by_loss for run in group}.values())
                compose = compose_forest([row for row in rows if row.metric == measured[0]])
                yield Drawing(figures / f"{name}-forest{suffix}.png", "forest", shown, compose=compose)
        if len(datasets) > 1 and len(self.groups) > 1:
            shown = [run for group in runs for run in group]
            yield from self._rank_drawings(datasets, shown)

    def _rank_drawings(self, datasets: Sequence[str], runs: Sequence[StoredRun]) -> Iterator[Drawing]:
        """Mean ranks by the first metric with a better side, where every loss has it on every data set."""
        from .figure_files import compose_ranks

        ranked = [metric for metric in self.document.metrics if higher_is_better(metric) is not None]
        scores = mean_scores(self.groups, ranked[0], datasets) if ranked else None
        if scores is not None:
            labels = unique_labels([group[0].config for group in self.groups.values()])
            path = self.store.figures / f"{self.name}-ranks.png"
            compose = compose_ranks(labels, scores, ranked[0])
            yield Drawing(path, "critical-difference", runs, compose=compose)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Sweep(Experiment):
    """A grid of settings over seeds.

    varied: the values of each setting that differs between the runs, seeds aside.
    """

    varied: Mapping[str, Sequence[Value]]

    def drawings(self) -> Iterator[Drawing]:
        """A row of curves per numeric axis, and the features of one seed at each setting that has a run."""
        runs = done_runs(self.store, self.outcomes)
        for axis in self.varied:
            values = {run.config.value_of(axis) for run in runs}  # some may have failed
            if len(values) > 1 and {type(value) for value in values} <= {int, float}:
                suffix = "" if len(self.varied) == 1 else f"-{slug(axis)}"
                path = self.store.figures / f"{self.name}-curves{suffix}.png"
                yield Drawing(path, "curves", runs, {"over": axis})
        by_setting: dict[RunConfig, list[StoredRun]] = {}
        for run in runs:
            by_setting.setdefault(dataclasses.replace(run.config, seed=0), []).append(run)
        shown = one_seed(by_setting.values())
        name_differences(shown)
        if 1 < len(shown) <= 40:
            yield Drawing(self.store.figures / f"{self.name}-grid.png", "lambda-grid", shown)


def report_comparison(
    store: Store,
    groups: Mapping[str, Sequence[Outcome]],
    *,
    baseline: str,
    metrics: Sequence[str],
    command: str,
    tuning: str = "",
) -> Comparison:
    """The comparison of outcomes by loss. tuning: a sentence on how the settings were tuned, if they were."""
    outcomes = list({outcome.config: outcome for group in groups.values() for outcome in group}.values())
    configs = [outcome.config for outcome in outcomes]
    datasets = list(dict.fromkeys(config.dataset for config in configs))
    paired = len(groups) > 1 and len({config.seed for config in configs}) > 1
    document = Document(
        kind="compare",
        title=comparison_title(configs),
        command=command,
        conditions=" ".join(filter(None, [conditions(outcomes, (*COLUMNS, *metrics)), tuning])),
        metrics=metrics,
        settings=summarize(outcomes),
        against=compare_losses(groups, baseline, metrics, datasets) if paired else (),
    )
    name = _free_name(store, _name(configs, len(groups)) + ("-tuned" if tuning else ""), document)
    return Comparison(store=store, name=name, document=document, outcomes=outcomes, groups=groups)


def report_sweep(
    store: Store, outcomes: Sequence[Outcome], axes: Mapping[str, Sequence[Value]], *, command: str
) -> Sweep:
    """The sweep of the outcomes of a grid over `axes`."""
    configs = [outcome.config for outcome in outcomes]
    varied = varied_axes(configs, {configs[0].setting_name(name): values for name, values in axes.items()})
    over = ", ".join(map(symbol, varied)) or "seeds"
    document = Document(
        kind="sweep",
        title=f"{dataset_spec(configs[0].dataset).title}: {configs[0].title} over {over}",
        command=command,
        conditions=conditions(outcomes),
        settings=summarize(outcomes, varied),
    )
    name = slug("-".join(["sweep", configs[0].loss, *varied, configs[0].dataset]))
    name = _free_name(store, name, document)
    return Sweep(store=store, name=name, document=document, outcomes=outcomes, varied=varied)


def _free_name(store: Store, name: str, document: Document) -> str:
    """The name, with a digest added where tables of that name are of other settings or seeds. More seeds and
    other metrics of the same settings overwrite them."""
    settings, seeds = "".join(_settings_without_seed(document)), _seeds(document)
    for content in ("", settings, f"{settings}{sorted(seeds)}"):
        free = f"{name}-{zlib.crc32(content.encode()):08x}" if content else name
        if _may_replace(store, free, document):
            break
    return free


def _may_replace(store: Store, name: str, document: Document) -> bool:
    """Whether there are no tables of that name, or those of the same settings and no other seeds."""
    with contextlib.suppress(LossbenchError):  # a file that cannot be read: writing says so
        path = store.tables / f"{name}.json"
        data = read_json(path)
        if isinstance(data, dict) and "command" in data:
            there = parse_document(path, data)
            same = _settings_without_seed(there) == _settings_without_seed(document)
            return same and _seeds(there) <= _seeds(document)
    return True


def _seeds(document: Document) -> set[int]:
    return {seed for row in document.settings for seed in row.runs}


def _settings_without_seed(document: Document) -> list[str]:
    texts = [json.dumps({**row.config, "seed": 0}, sort_keys=True) for row in document.settings]
    return sorted(texts)


def _name(configs: Sequence[RunConfig], losses: int) -> str:
    """The name of the files of a comparison, with the number of losses where their names are too long."""
    label = slug("-".join(dict.fromkeys(config.loss for config in configs)))
    if losses > _PANEL_LOSSES:
        hashed = "" if losses == len(catalog.names("losses")) else f"-{zlib.crc32(label.encode()):08x}"
        label = f"{losses}-losses{hashed}"  # another set of as many losses is another file
    unseen = "".join(["-unseen", *map(str, configs[0].unseen)]) if configs[0].unseen else ""
    return slug(f"compare-{label}-{'-'.join(dict.fromkeys(config.dataset for config in configs))}{unseen}")
