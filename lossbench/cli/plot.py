"""`lossbench plot`: figures from stored runs, without training."""

from typing import Annotated, Any

import typer

from ..errors import UsageError
from ..specs import FigureSpec, catalog
from ._flags import DEFAULT_RESULTS, Json, Output, Results, Style, flag
from ._options import DataDir
from ._output import command_line, print_json, print_message
from ._selection import Selection, select_runs, selection_options

_COMMANDS = {
    "searches": "lossbench tune",
    "ranks": "lossbench compare --datasets digits,mnist",
    "benchmark": "lossbench reproduce benchmark",
}
"""Which command draws a figure that is not drawn from stored runs alone."""
FIGURES = [n for n in catalog.names("figures") if catalog.spec("figures", n).drawn_from not in _COMMANDS]


def _choice(name: str, text: str) -> Any:
    return flag(name, f"{text} (default: the figure's).", "Figure")


@selection_options()
def plot(
    figure: Annotated[str, typer.Argument(help=f"The figure: {', '.join(FIGURES)}.")] = "features",
    *,
    selection: Selection,
    split: Annotated[str | None, _choice("--split", "train or test, some figures both or unseen")] = None,
    view: Annotated[
        str | None, _choice("--view", "raw, or normalized: directions on the unit circle")
    ] = None,
    metric: Annotated[str | None, _choice("--metric", "Metrics, separated by commas")] = None,
    over: Annotated[
        str | None, _choice("--over", "The swept setting on the x axis; two, with a comma, for both axes")
    ] = None,
    projection: Annotated[
        str | None,
        _choice("--projection", "Projection of features with more than two dimensions: pca, tsne or umap"),
    ] = None,
    label: Annotated[str | None, _choice("--label", "Name of the class shown")] = None,
    style: Style = "paper",
    form: Annotated[str, flag("--format", "png, pdf or svg.")] = "png",
    output: Output = None,
    data_dir: DataDir = None,
    results: Results = DEFAULT_RESULTS,
    json: Json = False,
) -> None:
    """Draw a figure of stored runs."""
    from ..reports.document import record_figure
    from ..reports.figure_files import FORMATS, check_choice, draw, figure_data
    from ..reports.figure_names import figure_path
    from ..runs.store import Store

    spec: FigureSpec = catalog.spec("figures", figure)
    if spec.drawn_from in _COMMANDS:
        raise UsageError(f"`{_COMMANDS[spec.drawn_from]}` draws {figure}; `lossbench plot` cannot.")
    check_choice("--format", form, FORMATS)
    store = Store(results)
    runs = select_runs(store, selection, spec.default, data_dir, axes=spec.axes, over=over, dim=spec.dim)
    choices = {"split": split, "view": view, "metric": metric, "over": over, "projection": projection}
    choices["label"] = label
    described = {**choices, "style": style if style != "paper" else None}
    shown = ", ".join(f"{name} {value}" for name, value in described.items() if value)
    parts = [*filter(None, described.values()), selection.label]
    default = figure_path(store, figure, runs, parts, form, shown, command_line())
    path = draw(figure, runs, output or default, style=style, **choices)
    data = figure_data(figure, runs, **choices)
    how = {"made_by": "plot", "command": command_line(), "choices": shown}
    record_figure(store, path, figure, runs, data=data, **how)
    if json:
        print_json({"figure": str(path), "runs": [r.name for r in runs], "data": data})
    else:
        print_message(f"Figure: {path}")
