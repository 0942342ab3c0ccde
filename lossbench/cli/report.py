"""`lossbench report`: all that a results folder holds, on one page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ..errors import LossbenchError, RunError
from ._flags import DEFAULT_RESULTS, Json, Results, flag, path_flag
from ._output import print_json, print_message
from ._selection import Selection, selection_options

if TYPE_CHECKING:
    from ..runs.store import Store


@selection_options(names=False)
def report(
    *,
    selection: Selection,
    check: Annotated[
        bool,
        flag("--check", "Write nothing; fail when a page, table or figure of the benchmark is out of date."),
    ] = False,
    output: Annotated[
        Path | None,
        path_flag(
            "--output", "Write the page here, and nothing else (default: index.html in --results).", None
        ),
    ] = None,
    results: Results = DEFAULT_RESULTS,
    json: Json = False,
) -> None:
    """Make one page of all tables and figures, with their conditions and commands; refresh the README.

    All is rendered from the JSON documents of the folder, also its tables and the page of the benchmark.

    With options that select runs: a page of the tables and figures that show such runs, and no README.
    """
    from ..files import slug
    from ..reports.results_page import html_page, markdown_page, read_page_content
    from ..runs.store import Store

    store = Store(results)
    store.check_folder()
    wanted = selection.filter
    filtered = wanted.losses is not None or bool(wanted.values)
    content = read_page_content(store, wanted.accepts if filtered else None)
    if not content.sections and not (content.pictures or content.links if filtered else content.benchmark):
        of = " of such runs" if filtered else ""
        raise RunError(f"There is no table{of} in {store.tables}; `lossbench compare` or `sweep` makes one.")
    words = [*(wanted.losses or ()), *map(str, wanted.values.get("dataset", ())), selection.label]
    label = slug("-".join(filter(None, ["index", *words])))
    page = output or store.root / f"{label}.html"
    pages = {page: html_page(store, content, page.parent)}
    if output is None and not filtered:  # a part of the results has a page of its own
        pages[store.root / "README.md"] = markdown_page(content)
    stale = _refresh(pages, write=not check)
    if check and not store.runs.exists() and not page.exists():
        stale.remove(page)  # what is published has neither runs nor the page of everything
    if output is None and not filtered:
        stale += _refresh_parts(store, write=not check)
    names = [section.name for section in content.sections]
    document = {"page": str(page), "tables": names, "stale" if check else "written": list(map(str, stale))}
    if check and stale:
        error = LossbenchError(f"Out of date: {', '.join(map(str, stale))}; `lossbench report` updates it.")
        error.document = document
        raise error
    if json:
        print_json(document)
    elif not check:
        print_message(f"Page: {page}")


def _refresh(pages: Mapping[Path, bytes], *, write: bool) -> list[Path]:
    """The pages that are out of date; written again if asked to."""
    from ..files import write_atomically
    from ..reports.generated_files import check_generated, holds

    for path in pages if write else ():
        check_generated(path)
    stale = [path for path, content in pages.items() if not holds(path, content)]
    for path in stale if write else ():
        write_atomically(path, pages[path])
    return stale


def _refresh_parts(store: Store, *, write: bool) -> list[Path]:
    """The tables and the files of the benchmark that are out of date; written again if asked to."""
    from ..reports.document import read_documents
    from ..reports.loss_benchmark.page import stale_files, write_page
    from ..reports.result_tables import stale_tables, write_tables

    tables, files = stale_tables(store), stale_files(store)
    if write:
        documents = read_documents(store)
        for name in tables:
            write_tables(store, name, documents[name])
        if files:
            write_page(store)
    return [*(path for paths in tables.values() for path in paths), *files]
