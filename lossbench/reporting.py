"""From rows to tables: CSV for programs, Markdown for people, and the generated results/README.md."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from . import catalog
from .config import RunConfig, dataset_spec
from .statistics import Interval
from .store import Store, write_atomically
from .sweeping import Row

COLUMNS = ("test_accuracy", "val_accuracy", "nn-accuracy", "spread", "gap", "spread-gap", "seconds")
_TITLES = {"test_accuracy": "test", "val_accuracy": "val", "seconds": "seconds"}


class Table(NamedTuple):
    """A table ready to print: a header and rows of text, equally long."""

    header: list[str]
    rows: list[list[str]]


def column_title(name: str) -> str:
    """The heading of a metric's column, with its unit."""
    title = _TITLES.get(name) or str(catalog.spec("metrics", name).title)
    return f"{title} (%)" if "accuracy" in name else title


def format_interval(name: str, interval: Interval | None) -> str:
    """`98.92 ± 0.08` for several seeds, `98.92` for one, a dash for none; accuracies in percent."""
    if interval is None or interval.n == 0 or math.isnan(interval.mean):
        return "–"
    factor = 100.0 if "accuracy" in name else 1.0
    digits = 2 if "accuracy" in name else (1 if name == "seconds" else 3)
    text = f"{factor * interval.mean:.{digits}f}"
    return text if math.isnan(interval.half_width) else f"{text} ± {factor * interval.half_width:.{digits}f}"


def comparison(rows: Sequence[Row]) -> Table:
    """One line per setting: mean ± half width of the 95 % interval over its seeds."""
    columns = [name for name in COLUMNS if any(name in row.intervals for row in rows)]
    troubled = any(row.diverged or row.failed for row in rows)
    rules = {row.config.rule for row in rows}
    header = ["loss", "settings", "runs", *map(column_title, columns)]
    header += ["rule"] if len(rules) > 1 else []
    header += ["diverged / failed"] if troubled else []
    lines = []
    for row in rows:
        line = [row.config.title, row.config.subtitle, str(row.done)]
        line += [format_interval(name, row.intervals.get(name)) for name in columns]
        line += [row.config.rule] if len(rules) > 1 else []
        line += [f"{row.diverged} / {row.failed}"] if troubled else []
        lines.append(line)
    return Table(header, lines)


def to_csv(rows: Sequence[Row], swept: Iterable[str]) -> bytes:
    """One line per setting with full precision: mean, half width and count of every metric."""
    names = list(dict.fromkeys(name for row in rows for name in row.intervals))
    axes = list(swept)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    parts = [f"{name}{suffix}" for name in names for suffix in ("", "_half_width", "_count")]
    writer.writerow(["loss", "settings", *axes, "done", "diverged", "failed", *parts])
    for row in rows:
        numbers: list[Any] = []
        for name in names:
            interval = row.intervals.get(name)
            numbers += ["", "", 0] if interval is None else [*map(_number, interval[:2]), interval.n]
        values = [row.config.value_of(axis) for axis in axes]
        counts = [row.done, row.diverged, row.failed]
        writer.writerow([row.config.title, row.config.subtitle, *values, *counts, *numbers])
    return text.getvalue().encode()


def to_markdown(table: Table) -> str:
    """A Markdown table; user text cannot break out of its cell."""
    lines = [table.header, ["---"] * len(table.header), *table.rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def conditions(configs: Sequence[RunConfig], results: Sequence[dict[str, Any]]) -> str:
    """Data, network, schedule, machine, versions and dates of what a table shows, as sentences."""
    first, data = configs[0], dataset_spec(configs[0].dataset)
    machines = [result["machine"] for result in results]
    dates = sorted({result["finished"][:10] for result in results})

    def of(field: str, records: Iterable[Any] = results) -> str:
        return _several(record[field] for record in records)

    def chosen(field: str) -> str:
        return _several(getattr(config, field) for config in configs)

    seeds = ", ".join(map(str, sorted({config.seed for config in configs})))
    period = " to ".join(dict.fromkeys((dates[0], dates[-1])))
    return (
        f"{data.title} with {first.val_size:,} validation images held out of training; "
        f"network {chosen('network')} ({of('parameters')} parameters), {chosen('feature_dim')}-D features; "
        f"{chosen('epochs')} epochs, batch {chosen('batch_size')}, AdamW, peak learning rate {chosen('lr')}; "
        f"seeds {seeds}. Intervals are 95 % Student intervals over seeds. "
        f"Convolutions in {of('precision')} on {of('device_name', machines)}, "
        f"{of('threads', machines)} threads per run; torch {of('torch', machines)}, "
        f"Python {of('python', machines)}, lossbench {of('lossbench')}; {period}."
    )


def write_tables(
    store: Store,
    name: str,
    rows: Sequence[Row],
    *,
    swept: Iterable[str],
    title: str,
    command: str,
    stated: str,
) -> None:
    """Write tables/<name>.csv and .md, and bring results/README.md up to date."""
    write_atomically(store.tables / f"{name}.csv", to_csv(rows, swept))
    text = f"## {title}\n\n{to_markdown(comparison(rows))}\n\n{stated}\n\n`{command}`\n"
    write_atomically(store.tables / f"{name}.md", text.encode())
    write_index(store)


def write_index(store: Store) -> None:
    """Write results/README.md: every table with its conditions and command, and every figure."""
    parts = [
        "# Results",
        "Generated by lossbench from the tables and figures in this folder. Findings: [LOG.md](LOG.md).",
    ]
    figures = sorted(path.name for path in store.figures.glob("*.png"))
    for table in sorted(store.tables.glob("*.md")):
        parts.append(table.read_text(encoding="utf-8").strip())
        own = [
            figure
            for figure in figures
            if figure.startswith(f"{table.stem}.") or figure.startswith(f"{table.stem}-")
        ]
        parts += [f"![{name.removesuffix('.png')}](figures/{name})" for name in own]
        figures = [figure for figure in figures if figure not in own]
    parts += [f"![{name.removesuffix('.png')}](figures/{name})" for name in figures]
    write_atomically(store.root / "README.md", ("\n\n".join(parts) + "\n").encode())


def _several(values: Iterable[Any]) -> str:
    """Distinct values in order, at most four of them."""
    distinct = [f"{v:,}" if isinstance(v, int) else str(v) for v in dict.fromkeys(values)]
    return ", ".join(distinct) if len(distinct) <= 4 else f"{distinct[0]} ... {distinct[-1]}"


def _number(value: float) -> float | str:
    return "" if math.isnan(value) else value


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
