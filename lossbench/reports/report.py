"""From rows to tables: CSV and JSON for programs, Markdown and LaTeX for people."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ..experiments.comparison import Contest, Entry, family_size, labels
from ..experiments.summary import Row
from ..files import to_json, write_atomically
from ..runs.config import RunConfig, dataset_spec
from ..runs.result import RunResult
from ..runs.store import Store
from ..specs.quantities import column_title, format_value, metric_name
from ..statistics import Interval
from ..tables import Table, code, csv_bytes, number_text, p_value_text, to_latex, to_markdown
from .site import write_index

COLUMNS = (
    "test_accuracy",
    "val_accuracy",
    "nn-accuracy",
    "spread-gap",
    "unseen-recall-at-1",
    "unseen-map-at-r",
    "unseen-roc-auc",
    "unseen-eer",
    "seconds",
)
_FAMILY = (
    "Differences are loss minus baseline at the same seed (accuracies in percentage points), with 95 % "
    "Student intervals; p by the exact sign-flip test (random flips beyond 16 seeds, with their standard "
    "error), adjusted by Holm over all comparisons here ({count}). Better or worse only where p (Holm) and "
    "interval agree; seeds needed: to find such a difference with 80 % power."
)


class Report(NamedTuple):
    """What a command found: rows, the axes swept, metrics asked for, comparisons, and how it was made."""

    title: str
    command: str
    stated: str
    rows: Sequence[Row]
    swept: Iterable[str] = ()
    metrics: Sequence[str] = ()
    contests: Sequence[Contest] = ()


def format_interval(name: str, interval: Interval | None) -> str:
    """`98.92 ± 0.08` for several seeds, `98.92` for one, a dash for none."""
    return format_value(name, interval.mean, interval.half_width) if interval and interval.n else "–"


def comparison(rows: Sequence[Row], metrics: Sequence[str] = ()) -> Table:
    """One line per setting: mean ± half width of the 95 % interval over its seeds, of the usual columns
    and of `metrics`."""
    usual = [*COLUMNS[:-1], *(name for name in metrics if name not in COLUMNS), *COLUMNS[-1:]]
    columns = [name for name in usual if any(name in row.intervals for row in rows)]
    several = len({row.config.dataset for row in rows}) > 1
    troubled = any(row.diverged or row.failed for row in rows)
    rules = {row.config.rule for row in rows}
    header = [*(["data"] if several else []), "loss", "settings", "runs", *map(column_title, columns)]
    header += ["rule"] if len(rules) > 1 else []
    header += ["diverged / failed"] if troubled else []
    lines = []
    for row in rows:
        line = [dataset_spec(row.config.dataset).title] if several else []
        line += [row.config.title, row.config.subtitle, str(row.done)]
        line += [format_interval(name, row.intervals.get(name)) for name in columns]
        line += [row.config.rule] if len(rules) > 1 else []
        line += [f"{row.diverged} / {row.failed}"] if troubled else []
        lines.append(line)
    return Table(header, lines)


def against_title(report: Report) -> str:
    """The caption of the table of paired comparisons; it names the metric where no column does."""
    metrics = {contest.metric for contest in report.contests}
    by = f" by {metric_name(*metrics)}" if len(metrics) == 1 else ""
    return f"Against {_baseline(report.contests[0])}{by}, paired by seed"


def against(contests: Sequence[Contest]) -> Table:
    """One line per loss, metric and data set: the paired difference, and what can be said of it."""
    several = {
        "data": len({contest.baseline.dataset for contest in contests}) > 1,
        "metric": len({contest.metric for contest in contests}) > 1,
    }
    header = [name for name, shown in several.items() if shown]
    header += ["loss", "settings", "seeds", "difference"]
    header += ["p", "p (Holm)", "P(better)", "verdict", "seeds needed"]
    lines = []
    for contest in contests:
        where = {"data": dataset_spec(contest.baseline.dataset).title, "metric": column_title(contest.metric)}
        for entry in contest.entries:
            found = entry.comparison
            line = [where[name] for name, shown in several.items() if shown]
            line += [entry.config.title, entry.config.subtitle]
            line += [_seeds(entry), format_value(contest.metric, *found.difference[:2], signed=True)]
            line += [p_value_text(found.p, found.p_error), p_value_text(entry.adjusted)]
            line += [number_text(found.probability, 2), entry.verdict, f"{found.needed or '–'}"]
            lines.append(line)
    return Table(header, lines)


def against_csv(contests: Sequence[Contest]) -> bytes:
    """The paired comparisons with full precision, the differences of all seeds in the last column."""
    lines = []
    for contest in contests:
        for entry in contest.entries:
            found = entry.comparison
            lines.append(
                {
                    "dataset": contest.baseline.dataset,
                    "metric": contest.metric,
                    "baseline": _baseline(contest),
                    "loss": entry.config.title,
                    "settings": entry.config.subtitle,
                    "seeds": found.n,
                    "unpaired": found.unpaired,
                    "failed": entry.troubled,
                    "difference": _number(found.difference.mean),
                    "half_width": _number(found.difference.half_width),
                    "p": _number(found.p),
                    "p_error": _number(found.p_error),
                    "p_holm": _number(entry.adjusted),
                    "probability_of_outperforming": _number(found.probability),
                    "verdict": entry.verdict,
                    "seeds_needed": found.needed or "",
                    "differences": " ".join(map(repr, found.differences)),
                }
            )
    return csv_bytes([list(lines[0]), *(list(line.values()) for line in lines)])


def document(report: Report) -> dict[str, Any]:
    """Both tables as plain data for JSON."""
    return {
        "command": report.command,
        "conditions": report.stated,
        "settings": [
            {
                "loss": row.config.loss,
                "config": row.config.to_dict(),
                "done": row.done,
                "diverged": row.diverged,
                "failed": row.failed,
                "metrics": {name: interval._asdict() for name, interval in row.intervals.items()},
            }
            for row in report.rows
        ],
        "against": [
            {
                "dataset": contest.baseline.dataset,
                "metric": contest.metric,
                "baseline": contest.baseline.loss,
                "loss": entry.config.loss,
                "settings": entry.config.subtitle,
                "failed": entry.troubled,
                "verdict": entry.verdict,
                "p_holm": entry.adjusted,
                **entry.comparison._asdict(),
                "difference": entry.comparison.difference._asdict(),
            }
            for contest in report.contests
            for entry in contest.entries
        ],
    }


def to_csv(rows: Sequence[Row], swept: Iterable[str]) -> bytes:
    """One line per setting with full precision: mean, half width and count of every metric.

    The data set has a column where there are several.
    """
    names = list(dict.fromkeys(name for row in rows for name in row.intervals))
    axes = [*(["dataset"] if len({row.config.dataset for row in rows}) > 1 else []), *swept]
    parts = [f"{name}{suffix}" for name in names for suffix in ("", "_half_width", "_count")]
    lines: list[list[Any]] = [["loss", "settings", *axes, "done", "diverged", "failed", *parts]]
    for row in rows:
        numbers: list[Any] = []
        for name in names:
            interval = row.intervals.get(name)
            numbers += ["", "", 0] if interval is None else [*map(_number, interval[:2]), interval.n]
        values = [row.config.value_of(axis) for axis in axes]
        counts = [row.done, row.diverged, row.failed]
        lines.append([row.config.title, row.config.subtitle, *values, *counts, *numbers])
    return csv_bytes(lines)


def conditions(configs: Sequence[RunConfig], results: Sequence[RunResult]) -> str:
    """Data, network, schedule, machine, versions and dates of what a table shows, as sentences."""
    data = {
        config.dataset: f"{dataset_spec(config.dataset).title} with {config.val_size:,}" for config in configs
    }
    machines = [result.machine for result in results]
    dates = sorted({result.finished[:10] for result in results})

    def of(field: str, records: Iterable[Any] = results) -> str:
        return _several(getattr(record, field) for record in records)

    def chosen(field: str) -> str:
        return _several(getattr(config, field) for config in configs)

    seeds = ", ".join(map(str, sorted({config.seed for config in configs})))
    apart = " and ".join(dict.fromkeys(config.unseen_names for config in configs if config.unseen))
    unseen = f"Classes {apart} are kept out of training. " if apart else ""
    period = " to ".join(dict.fromkeys((dates[0], dates[-1])))
    return (
        f"{', '.join(data.values())} validation images held out of training; "
        f"network {chosen('network')} ({of('parameters')} parameters), {chosen('feature_dim')}-D features; "
        f"{chosen('epochs')} epochs, batch {chosen('batch_size')}, AdamW, peak learning rate {chosen('lr')}; "
        f"seeds {seeds}. {unseen}Intervals are 95 % Student intervals over seeds. "
        f"Convolutions in {of('precision')} on {of('device_name', machines)}, "
        f"{of('threads', machines)} threads per run; torch {of('torch', machines)}, "
        f"Python {of('python', machines)}, lossbench {of('lossbench')}; {period}."
    )


def write_tables(store: Store, name: str, report: Report) -> None:
    """Write tables/<name>.csv, .md, .tex and .json, and bring results/README.md up to date."""
    tables = [(report.title, comparison(report.rows, report.metrics), report.stated)]
    if report.contests:
        size = family_size(report.contests)
        tables.append((against_title(report), against(report.contests), _FAMILY.format(count=size)))
        write_atomically(store.tables / f"{name}-against.csv", against_csv(report.contests))
    text = "".join(f"{caption}\n\n{to_markdown(table)}\n\n{note}\n\n" for caption, table, note in tables)
    write_atomically(store.tables / f"{name}.csv", to_csv(report.rows, report.swept))
    write_atomically(store.tables / f"{name}.md", f"## {text}{code(report.command)}\n".encode())
    latex = "\n".join(to_latex(table, f"{caption}. {note}") for caption, table, note in tables)
    write_atomically(store.tables / f"{name}.tex", latex.encode())
    write_atomically(store.tables / f"{name}.json", to_json(document(report)).encode())
    write_index(store)


def _several(values: Iterable[Any]) -> str:
    """Distinct values in order, at most four of them."""
    distinct = [f"{v:,}" if isinstance(v, int) else str(v) for v in dict.fromkeys(values)]
    return ", ".join(distinct) if len(distinct) <= 4 else f"{distinct[0]} ... {distinct[-1]}"


def _number(value: float) -> float | str:
    return "" if math.isnan(value) else value


def _baseline(contest: Contest) -> str:
    return labels([contest.baseline, *(entry.config for entry in contest.entries)])[0]


def _seeds(entry: Entry) -> str:
    """Pairs, of how many seeds where one of the two has no number, and the loss's own failures."""
    found = entry.comparison
    whole = f" of {found.n + found.unpaired}" if found.unpaired else ""
    return f"{found.n}{whole}" + (f" ({entry.troubled} failed)" if entry.troubled else "")
