"""`lossbench report`: all that a results folder holds, on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from ..errors import LossbenchError, RunError
from ._flags import DEFAULT_RESULTS, Json, Results, expand_home, flag
from ._output import print_json, print_message
from ._selection import Selection, selection_options


@selection_options(names=False)
def report(
    *,
    selection: Selection,
    check: Annotated[
        bool, flag("--check", "Write nothing; fail when the page or the README is out of date.")
    ] = False,
    output: Annotated[
        Path | None,
        flag(
            "--output",
            "Write the page here, and nothing else (default: index.html in --results).",
            callback=expand_home,
        ),
    ] = None,
    results: Results = DEFAULT_RESULTS,
    json: Json = False,
) -> None:
    """Make one page of all tables and figures, with their conditions and commands; refresh the README.

    With options that select runs: a page of the tables and figures that show such runs, and no README.
    """
    from ..files import slug, write_atomically
    from ..reports.own_files import check_own
    from ..reports.site import html_page, markdown_page, read_site
    from ..runs.store import Store

    store = Store(results)
    wanted = selection.filter
    filtered = wanted.losses is not None or bool(wanted.values)
    site = read_site(store, wanted.accepts if filtered else None)
    if not site.sections and not (filtered and (site.pictures or site.links)):
        of = " of such runs" if filtered else ""
        raise RunError(f"There is no table{of} in {store.tables}; `lossbench compare` or `sweep` makes one.")
    label = slug("-".join(filter(None, ["index", *(wanted.losses or ()), selection.label])))
    page = output or store.root / f"{label}.html"
    pages = {page: html_page(store, site, page.parent)}
    if output is None and not filtered:  # a part of the results has a page of its own
        pages[store.root / "README.md"] = markdown_page(site)
    for path in () if check else pages:
        check_own(path)
    stale = [path for path, content in pages.items() if not _holds(path, content)]
    if not check:
        for path in stale:
            write_atomically(path, pages[path])
    names = [section.name for section in site.sections]
    found = {"page": str(page), "tables": names, "stale" if check else "written": list(map(str, stale))}
    if check and stale:
        error = LossbenchError(
            f"Out of date: {', '.join(map(str, stale))}; `lossbench report` makes it anew."
        )
        error.document = found
        raise error
    if json:
        print_json(found)
    elif not check:
        print_message(f"Page: {page}")


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False
