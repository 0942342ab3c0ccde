"""The tables of a document: Markdown and LaTeX for people, CSV for programs."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import UsageError
from ..experiments.comparison import ComparisonRow, family_size
from ..experiments.summary import SettingRow
from ..runs.config import RUN_OPTIONS, dataset_titles
from ..runs.store import Store
from ..runs.stored_config import config_from_dict
from ..runs.stored_run import UntrainedRun
from ..specs import setting_text
from ..specs.quantities import MAIN_METRIC, UNSEEN, column_title, format_value, metric_name, number_spec
from ..tables import Table, code, csv_bytes, number_text, p_value_text, to_latex, to_markdown
from .document import Document, read_documents
from .generated_files import holds, write_with_document

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
_HOW_COMPARED = (
    "Differences are loss minus baseline at the same seed (accuracies in percentage points), with 95 % "
    "Student intervals; p by the exact sign-flip test (random flips beyond 32 seeds, with their standard "
    "error), adjusted by Holm over all comparisons here ({count}). Better or worse only where p (Holm) and "
    "interval agree; seeds needed: to find such a difference with 80 % power at a level of 5 % / {count}."
)
_NO_VERDICT = (
    " With so few seeds no verdict is possible here, however large a difference is: the smallest p of "
    "{seeds} seeds is {smallest}{holm}."
)
_HOLM = ", and Holm's adjustment multiplies it by {count}"
_LISTED = 6  # losses in a heading; with more of them it names the first three and counts


class CaptionedTable(NamedTuple):
    """A table with the line above it and the sentences below."""

    caption: str
    table: Table
    note: str


def captioned_tables(document: Document) -> list[CaptionedTable]:
    """The table of results and, where there are comparisons, that of paired differences."""
    results = results_table(document.settings, document.metrics)
    tables = [CaptionedTable(short_title(document.title), results, document.conditions)]
    if document.against:
        note = _HOW_COMPARED.format(count=family_size(document.against)) + no_verdict(document.against)
        note += mixed_distances(document)
        tables.append(
            CaptionedTable(differences_caption(document.against), differences_table(document.against), note)
        )
    return tables


def short_title(title: str) -> str:
    """The title, cut where it lists more losses than a line can hold."""
    first, *others = title.split(" · ")
    if len(others) < _LISTED:
        return title
    return f"{' · '.join([first, *others[:2]])} and {len(others) - 2} more"


def no_verdict(rows: Sequence[ComparisonRow]) -> str:
    """A sentence where these seeds can give none of the comparisons a verdict, else ''."""
    count, seeds = family_size(rows), max(row.paired.n for row in rows)
    smallest = min(1.0, 2 / 2**seeds)
    if not count or count * smallest <= 0.05:
        return ""
    holm = _HOLM.format(count=count) if count > 1 else ""
    return _NO_VERDICT.format(seeds=seeds, smallest=p_value_text(smallest), holm=holm)


def mixed_distances(document: Document) -> str:
    """A sentence on metrics by the distance of each loss, where losses of both are compared, else ''."""
    metrics = dict.fromkeys(row.metric for row in document.against)
    named = [metric_name(name) for name in metrics if number_spec(name).as_loss_compares]
    if not named or len({_by_cosine(row) for row in document.settings}) < 2:
        return ""
    return (
        f" {', '.join(named)}: by cosine for some of these losses and by Euclidean distance for others, so a "
        "difference between such losses may be that of the distances."
    )


def _by_cosine(row: SettingRow) -> bool:
    """Whether a loss compares by cosine; False where this version does not know it."""
    try:
        return UntrainedRun(config_from_dict(row.config)).cosine
    except UsageError:
        return False


def results_table(rows: Sequence[SettingRow], metrics: Sequence[str] = ()) -> Table:
    """One line per setting: mean ± half width of the 95 % interval over its seeds, of the usual columns
    and of `metrics`."""
    names = [*COLUMNS[:-1], *(name for name in metrics if name not in COLUMNS), *COLUMNS[-1:]]
    columns: dict[str, list[str]] = {}
    if len({row.dataset for row in rows}) > 1:
        columns["data"] = dataset_titles([row.dataset for row in rows])
    columns["loss"] = [row.title for row in rows]
    columns["settings"] = [_settings_text(row) for row in rows]
    columns["runs"] = [str(row.done) for row in rows]
    for name in names:
        if any(name in row.metrics for row in rows):
            columns[column_title(name)] = [
                format_value(name, *row.metrics[name][:2]) if name in row.metrics else "–" for row in rows
            ]
    if len({row.rule for row in rows}) > 1:
        columns["rule"] = [row.rule for row in rows]
    if any(row.diverged or row.failed for row in rows):
        columns["diverged / failed"] = [f"{row.diverged} / {row.failed}" for row in rows]
    usual = [name for name in reversed(COLUMNS) if name not in (*metrics, MAIN_METRIC)]
    usual.sort(key=lambda name: name.startswith(UNSEEN))  # what was asked for by --unseen stays longest
    return _table(columns, list(map(column_title, usual)))


def _settings_text(row: SettingRow) -> str:
    """The settings of the loss, and the options of the run that were swept: they tell its rows apart."""
    swept = [
        setting_text(name, RUN_OPTIONS[name].shown(value))
        for name, value in row.swept.items()
        if name in RUN_OPTIONS and name != "dataset"  # which has a column of its own
    ]
    return ", ".join(filter(None, [row.settings, *swept]))


def differences_caption(rows: Sequence[ComparisonRow]) -> str:
    """Names the baseline, and the metric where no column does."""
    metrics = {row.metric for row in rows}
    by = f" by {metric_name(*metrics)}" if len(metrics) == 1 else ""
    return f"Against {rows[0].baseline_label}{by}, paired by seed"


def differences_table(rows: Sequence[ComparisonRow]) -> Table:
    """One line per loss, metric and data set: the paired difference, and what can be said of it."""
    columns: dict[str, list[str]] = {}
    if len({row.dataset for row in rows}) > 1:
        columns["data"] = dataset_titles([row.dataset for row in rows])
    if len({row.metric for row in rows}) > 1:
        columns["metric"] = [column_title(row.metric) for row in rows]
    columns["loss"] = [row.title for row in rows]
    columns["settings"] = [row.settings for row in rows]
    columns["seeds"] = [_seeds(row) for row in rows]
    columns["difference"] = [
        format_value(row.metric, *row.paired.difference[:2], signed=True) for row in rows
    ]
    columns["p"] = [p_value_text(row.paired.p, row.paired.p_error) for row in rows]
    columns["p (Holm)"] = [p_value_text(row.p_holm) for row in rows]
    columns["P(better)"] = [number_text(row.paired.probability, 2) for row in rows]
    columns["verdict"] = [row.verdict or "–" for row in rows]
    columns["seeds needed"] = [str(row.needed or "–") for row in rows]
    return _table(columns, ("p", "P(better)", "seeds needed"))


def results_csv(rows: Sequence[SettingRow]) -> bytes:
    """One line per setting with full precision: mean, half width and count of every metric.

    Swept options have a column each, as has the data set where there are several.
    """
    names = list(dict.fromkeys(name for row in rows for name in row.metrics))
    several = len({row.dataset for row in rows}) > 1
    lines = []
    for row in rows:
        line: dict[str, Any] = {"loss": row.title, "settings": row.settings}
        line |= {"dataset": row.dataset} if several else {}
        line |= {**row.swept, "done": row.done, "diverged": row.diverged, "failed": row.failed}
        for name in names:
            mean, half_width, count = row.metrics.get(name, (math.nan, math.nan, 0))
            line |= {name: mean, f"{name}_half_width": half_width, f"{name}_count": count}
        lines.append(line)
    return _csv(lines)


def differences_csv(rows: Sequence[ComparisonRow]) -> bytes:
    """The paired differences with full precision; the last column has those of all seeds."""
    return _csv(
        {
            "dataset": row.dataset,
            "metric": row.metric,
            "baseline": row.baseline_label,
            "loss": row.title,
            "settings": row.settings,
            "seeds": row.paired.n,
            "unpaired": row.paired.unpaired,
            "failed": row.failed,
            "difference": row.paired.difference.mean,
            "half_width": row.paired.difference.half_width,
            "p": row.paired.p,
            "p_error": row.paired.p_error,
            "p_holm": row.p_holm,
            "probability_of_outperforming": row.paired.probability,
            "verdict": row.verdict or "",
            "seeds_needed": row.needed or "",
            "differences": " ".join(map(repr, row.paired.differences)),
        }
        for row in rows
    )


def markdown(document: Document) -> str:
    """The tables as a section of Markdown, the command at its end."""
    text = "".join(
        f"{_escape(caption)}\n\n{to_markdown(table)}\n\n{_escape(note)}\n\n"
        for caption, table, note in captioned_tables(document)
    )
    return f"## {text}{code(document.command)}\n"


def latex(document: Document, name: str) -> str:
    """The tables in LaTeX, with labels from a name; conditions and machine are comments."""
    results, *others = captioned_tables(document)
    caption = f"{results.caption}. Means over seeds with 95 % intervals."
    comment = f"{results.note} {document.command}"
    texts = [to_latex(results.table, caption, f"tab:{name}", comment)]
    for caption, table, note in others:
        texts.append(to_latex(table, f"{caption}. {note}", f"tab:{name}-against"))
    return "\n".join(texts)


def table_files(name: str, document: Document) -> dict[str, bytes]:
    """The content of <name>.csv, .md and .tex, and of <name>-against.csv where losses were compared."""
    files = {".csv": results_csv(document.settings), ".md": markdown(document).encode()}
    files[".tex"] = latex(document, name).encode()
    if document.against:
        files["-against.csv"] = differences_csv(document.against)
    return {f"{name}{end}": content for end, content in files.items()}


def stale_tables(store: Store) -> dict[str, list[Path]]:
    """The tables that are not what follows from their documents, by the name of the document."""
    stale = {}
    for name, document in read_documents(store).items():
        if document.settings:
            files = {store.tables / file: content for file, content in table_files(name, document).items()}
            stale[name] = [path for path, content in files.items() if not holds(path, content)]
    return {name: paths for name, paths in stale.items() if paths}


def write_tables(store: Store, name: str, document: Document) -> None:
    """Write the tables and <name>.json, the document with their digests.

    Raises ForeignFile, before any is written, if one of them is not lossbench's.
    """
    write_with_document(store.tables / f"{name}.json", document.to_dict(), table_files(name, document))


def _table(columns: dict[str, list[str]], optional: Sequence[str]) -> Table:
    return Table(list(columns), [list(row) for row in zip(*columns.values(), strict=True)], optional)


def _csv(lines: Iterable[dict[str, Any]]) -> bytes:
    """Values by column; a cell is empty where there is no number."""
    lines = list(lines)
    rows = [["" if value != value else value for value in line.values()] for line in lines]
    return csv_bytes([list(lines[0]), *rows])


def _escape(text: str) -> str:
    return text.replace("<", "&lt;")


def _seeds(row: ComparisonRow) -> str:
    """The number of pairs, of all seeds where one of the two lacks a number, and the failures of the loss."""
    pairs, unpaired = row.paired.n, row.paired.unpaired
    text = f"{pairs} of {pairs + unpaired}" if unpaired else str(pairs)
    return f"{text} ({row.failed} failed)" if row.failed else text
