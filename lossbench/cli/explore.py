"""`lossbench explore`: stored runs as one page that opens from disk."""

from ._flags import DEFAULT_RESULTS, Json, Output, Results
from ._options import DataDir
from ._output import command_line, print_json, print_message
from ._selection import Selection, select_runs, selection_options


@selection_options()
def explore(
    *,
    selection: Selection,
    output: Output = None,
    data_dir: DataDir = None,
    results: Results = DEFAULT_RESULTS,
    json: Json = False,
) -> None:
    """Make a page to explore stored runs in a browser: every image, snapshot and error; offline."""
    from ..reports.document import record_figure
    from ..reports.explorer.page import explore as write
    from ..reports.figure_names import figure_path
    from ..runs.store import Store

    store = Store(results)
    runs = select_runs(store, selection, data_dir=data_dir)
    path = output or figure_path(
        store, "explorer", runs, [selection.label], "html", choices="", command=command_line()
    )
    write(runs, path)
    record_figure(store, path, "explorer", runs, made_by="explore", command=command_line())
    if json:
        print_json({"page": str(path), "runs": [r.name for r in runs]})
    else:
        print_message(f"Page: {path}")
