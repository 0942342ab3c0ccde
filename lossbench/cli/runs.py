"""`lossbench runs`: what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from ..errors import LossbenchError
from ..runs.result import Status, diverged_text
from ._flags import DEFAULT_RESULTS, Json, Results, flag
from ._output import print_json, print_message, print_table, print_warning, run_document
from ._selection import Selection, selection_options

if TYPE_CHECKING:
    from ..runs.store import RunFolder


@selection_options(names=False)
def runs(
    *,
    selection: Selection,
    status: Annotated[
        str | None, flag("--status", "Only done, diverged or incomplete runs (default: all).")
    ] = None,
    results: Results = DEFAULT_RESULTS,
    json: Json = False,
) -> None:
    """List stored runs, oldest first."""
    from ..runs.store import Store
    from ..tables import Table

    folders, problems = Store(results).all()
    for problem in problems:
        print_warning(problem)
    documents = []
    for run in folders:
        if not selection.filter.accepts(run.config):
            continue
        document = _document(run)
        if status in (None, document["status"]):
            documents.append(document)
    if json:
        print_json(documents)
    elif not documents:
        print_message(f"No such run in {results}; `lossbench train` makes one.")
    else:
        header = ["run", "settings", "data", "network", "epochs", "seed", "status", "test (%)", "val (%)"]
        print_table(Table(header, [_line(document) for document in documents]))


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


def _line(document: dict[str, Any]) -> list[str]:
    from ..runs.config_builder import config_from_dict
    from ..specs.quantities import format_value

    config = config_from_dict(document["config"])
    shown = [format_value(name, document.get(name)) for name in ("test_accuracy", "val_accuracy")]
    fields = [config.dataset, config.network, str(config.epochs), str(config.seed), document["status"]]
    return [document["run"], config.subtitle, *fields, *shown]
