"""The documents of the parts of the benchmark: one JSON file for each, in results/benchmark."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import RunError, UsageError
from ...experiments.loss_benchmark import DECIDING, PARTS, Part
from ...experiments.summary import SettingRow, summarize
from ...files import read_json, to_json
from ...runs.outcome import Outcome
from ...runs.store import Store
from ...statistics import mean_interval
from ..conditions_text import conditions
from ..document import Document, parse_document, write_document
from ..generated_files import check_document

QUICK = " (quick)"
"""At the end of the title of a part that was run with `--quick`."""
_EARLIER = "Earlier seeds: "
_SENTENCE_END = r"(?<=[^.]\.) "  # not ` ... ` between the first and the last of many values


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
    """Write the document of a part. Seeds that an earlier document of the same settings has stay in it, so
    that their runs need not be kept. Raises ForeignFile for a file that no command of lossbench wrote."""
    document = Document(
        kind="benchmark",
        title=_title(part, quick),
        command=command,
        conditions=" ".join(filter(None, [conditions(outcomes, part.metrics), tuning])),
        metrics=part.metrics,
        settings=[_without_others(row, part.metrics) for row in summarize(outcomes, part.axes)],
        data=data,
    )
    earlier = _earlier(store, name, document.title)
    write_document(_path(store, name), _with_earlier_seeds(document, earlier) if earlier else document)


def check_earlier_seeds(store: Store, name: str, part: Part, *, quick: bool = False) -> None:
    """Check, before a part is run, that its document can be written and that no seed of it would be lost.

    Raises UsageError where earlier seeds have other metrics, ForeignFile, RunError for a damaged document.
    """
    earlier = _earlier(store, name, _title(part, quick))
    if earlier is None or set(earlier.metrics) == set(part.metrics):
        return
    if any(set(row.runs) - set(part.seeds) for row in earlier.settings):
        raise UsageError(
            f"{_path(store, name)} has other seeds with other metrics, which would be lost: give "
            f"--metric {','.join(earlier.metrics)}, or move the file away."
        )


def _earlier(store: Store, name: str, title: str) -> Document | None:
    """The document of a part that is there, None for none or one of a quick run where the new one is not."""
    path = _path(store, name)
    check_document(path)
    data = read_json(path)
    document = None if data is None else parse_document(path, data)
    return document if document and document.title == title else None


def _path(store: Store, name: str) -> Path:
    return store.benchmark / f"{name}.json"


def _title(part: Part, quick: bool) -> str:
    return part.title + QUICK * quick


def _with_earlier_seeds(document: Document, earlier: Document) -> Document:
    """The document with the seeds of another one, of the same settings and metrics, that it lacks."""
    known = {_key(row): row for row in earlier.settings if row.by_seed}
    rows = [_merged(row, known[_key(row)]) if _key(row) in known else row for row in document.settings]
    if rows == document.settings or set(document.metrics) != set(earlier.metrics):
        return document
    known_conditions = earlier.conditions.replace(_EARLIER, "")
    sentences = [
        each for each in re.split(_SENTENCE_END, known_conditions) if each not in document.conditions
    ]
    return replace(
        document,
        command=" && ".join(dict.fromkeys([*earlier.command.split(" && "), document.command])),
        conditions=" ".join(filter(None, [document.conditions, _EARLIER[:-1] * bool(sentences), *sentences])),
        settings=rows,
    )


def _key(row: SettingRow) -> str:
    """What the seeds of a row have in common."""
    return to_json(dict(sorted({**row.config, "seed": None}.items())))


def _merged(row: SettingRow, earlier: SettingRow) -> SettingRow:
    """The row with those seeds of an earlier one that it lacks."""
    others = [seed for seed in earlier.runs if seed not in row.runs]
    if not others:
        return row
    by_seed = {**{seed: earlier.by_seed[seed] for seed in others}, **row.by_seed}
    without = sum(not earlier.by_seed[seed] for seed in others)
    failed = min(earlier.failed, without)
    names = dict.fromkeys(name for values in by_seed.values() for name in values)
    return row._replace(
        runs=dict(sorted({**{seed: earlier.runs[seed] for seed in others}, **row.runs}.items())),
        done=row.done + len(others) - without,
        diverged=row.diverged + without - failed,
        failed=row.failed + failed,
        metrics={n: mean_interval([each[n] for each in by_seed.values() if n in each]) for n in names},
        by_seed=dict(sorted(by_seed.items())),
    )


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
        path = _path(store, name)
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
