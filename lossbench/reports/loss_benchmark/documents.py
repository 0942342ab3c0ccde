"""The documents of the parts of the benchmark: one JSON file for each, in results/benchmark."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import RunError
from ...experiments.loss_benchmark import DECIDING, PARTS, Part
from ...experiments.summary import SettingRow, summarize
from ...files import read_json
from ...runs.outcome import Outcome
from ...runs.store import Store
from ..conditions_text import conditions
from ..document import Document, parse_document, write_document

QUICK = " (quick)"
"""At the end of the title of a part that was run with `--quick`."""


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
