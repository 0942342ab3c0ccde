"""`lossbench runs`: what is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from ..errors import LossbenchError, unknown_name
from ..runs.result import Status, diverged_text
from ..specs.quantities import column_title, format_value
from ..tables import Table, counted, fit_columns
from ._flags import DEFAULT_RESULTS, Json, Results, flag
from ._output import line_width, print_json, print_message, print_table, print_warning, run_document
from ._selection import Selection, readable_runs, selection_options

if TYPE_CHECKING:
    from ..runs.filter import RunFilter
    from ..runs.run_folder import RunFolder


@selection_options(names=False)
def runs(
    *,
    selection: Selection,
    status: Annotated[
        str | None, flag("--status", "Only done, diverged or incomplete runs (default: all).")
    ] = None,
    sort: Annotated[
        str, flag("--sort", "oldest, newest, loss, seed, epochs, test or val (accuracy, best first).")
    ] = "oldest",
    limit: Annotated[int | None, flag("--limit", "Number of runs to list (default: all).", min=1)] = None,
    results: Results = DEFAULT_RESULTS,
    json: Json = False,
) -> None:
    """List stored runs, oldest first."""
    if sort not in _SORTED:
        raise unknown_name("order of runs", sort, _SORTED)
    if status is not None and status not in _STATUSES:
        raise unknown_name("status of runs", status, _STATUSES)
    from ..runs.store import Store

    stored = readable_runs(Store(results))
    accepted = [_document(run) for run in stored if selection.filter.accepts(run.config)]
    documents = [each for each in accepted if status in (None, each["status"])]
    total = len(documents)
    documents = _SORTED[sort](documents)[:limit]
    if json:
        print_json(documents)
    elif documents:
        table, shared = _table(documents, _COLUMNS), ""
        if fit_columns(table, line_width())[1]:
            alike = {title: {row[table.header.index(title)] for row in table.rows} for title in _COLUMNS}
            shared = ", ".join(f"{title} {min(cells)}" for title, cells in alike.items() if len(cells) == 1)
            table = _table(documents, {})
        print_table(table, more="--json has all.")
        if shared:
            print_message(f"All: {shared}.")
        if len(documents) < total:
            print_message(f"{len(documents)} of {counted(total, 'run')}.")
    if not stored:
        print_message(f"There is no run in {results}; `lossbench train` makes one.")
    else:
        _print_missing(stored, selection.filter, accepted, status)


_COLUMNS = {"data": "dataset", "network": "network", "epochs": "epochs"}
"""The options that have a column where there is room, by its heading."""
_STATUSES = (Status.DONE, Status.DIVERGED, Status.INCOMPLETE, Status.BROKEN)


def _by(key: Callable[[dict[str, Any]], Any]) -> Callable[[list[dict[str, Any]]], list[dict[str, Any]]]:
    return lambda documents: sorted(documents, key=key)


_SORTED: dict[str, Callable[[list[dict[str, Any]]], list[dict[str, Any]]]] = {
    "oldest": list,
    "newest": lambda documents: documents[::-1],
    "loss": _by(lambda document: (document["loss_name"], document["seed"])),
    "seed": _by(lambda document: document["seed"]),
    "epochs": _by(lambda document: document["config"]["epochs"]),
    "test": _by(lambda document: -(document.get("test_accuracy") or 0)),
    "val": _by(lambda document: -(document.get("val_accuracy") or 0)),
}


def _print_missing(
    stored: Sequence[RunFolder],
    wanted: RunFilter,
    accepted: Sequence[dict[str, Any]],
    status: str | None,
) -> None:
    """Say of a loss or a value of the filter, or of the status, that no stored run has it."""
    from ..runs.selection import check_stored

    try:
        check_stored([run.config for run in stored], wanted, "run")
    except LossbenchError as error:
        print_message(str(error))
    counts = Counter(each["status"] for each in accepted)
    if counts and status is not None and status not in counts:
        print_message(f"None is {status}: {', '.join(f'{n} {name}' for name, n in counts.items())}.")


def _document(run: RunFolder) -> dict[str, Any]:
    status, result, reason = Status.INCOMPLETE, None, ""
    try:
        result = run.result()
    except LossbenchError as error:
        print_warning(str(error))
        status, reason = Status.BROKEN, str(error)
    if result is not None:
        status = result.status
        reason = diverged_text(result) if status is Status.DIVERGED else ""
    return run_document(run.config, run.path, status, result, reason) | {"config": run.config.to_dict()}


def _table(documents: Sequence[dict[str, Any]], options: Mapping[str, str]) -> Table:
    """The runs with a column for each of these options, by its heading. In which other options they differ
    stands with their settings."""
    from ..runs.conditions import condition_differences
    from ..runs.stored_config import config_from_dict

    configs = [config_from_dict(document["config"]) for document in documents]
    settings = zip(
        [config.subtitle for config in configs],
        condition_differences(configs, tuple(options.values())),
        strict=True,
    )
    columns = {
        "run": [document["run"] for document in documents],
        "settings": [" · ".join(filter(None, texts)) for texts in settings],
        **{title: [str(getattr(each, name)) for each in configs] for title, name in options.items()},
        "seed": [str(config.seed) for config in configs],
        "status": [document["status"] for document in documents],
    }
    for name in ("test_accuracy", "val_accuracy"):
        columns[column_title(name)] = [format_value(name, document.get(name)) for document in documents]
    return Table(list(columns), list(map(list, zip(*columns.values(), strict=True))), ("val (%)", *options))
