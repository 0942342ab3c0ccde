"""`lossbench plot`: figures from stored runs, without training."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from ..runs.config import COMPARED_LOSSES
from ..specs import FigureSpec, catalog
from ._options import DEFAULT_RESULTS, DataDir, Json, Output, Results, Style, flag
from ._output import command_line, print_json, print_message
from ._selection import Losses, Runs, select_runs

if TYPE_CHECKING:
    from ..runs.stored_run import StoredRun


_COMMANDS = {"searches": "lossbench tune", "ranks": "lossbench compare --datasets"}
"""Which command draws a figure that is not drawn from stored runs alone."""
FIGURES = [n for n in catalog.names("figures") if catalog.spec("figures", n).drawn_from not in _COMMANDS]


def _choice(name: str, text: str) -> Any:
    return flag(name, f"{text} (default: the figure's).", "Figure")


def plot(
    figure: Annotated[str, typer.Argument(help=f"The figure: {', '.join(FIGURES)}.")] = "features",
    run: Runs = None,
    loss: Losses = None,
    split: Annotated[str | None, _choice("--split", "train or test, some figures both or unseen")] = None,
    view: Annotated[
        str | None, _choice("--view", "raw plane, or normalized: directions on the unit circle")
    ] = None,
    metric: Annotated[str | None, _choice("--metric", "Metrics, separated by commas")] = None,
    over: Annotated[
        str | None, _choice("--over", "The swept setting on the axis; two, with a comma, for two axes")
    ] = None,
    projection: Annotated[
        str | None, _choice("--projection", "Of features beyond the plane: pca, tsne or umap")
    ] = None,
    label: Annotated[str | None, _choice("--label", "The class shown, by its name")] = None,
    style: Style = "paper",
    form: Annotated[str, flag("--format", "png, pdf or svg.")] = "png",
    output: Output = None,
    data_dir: DataDir = None,
    results: Results = DEFAULT_RESULTS,
    json: Json = False,
) -> None:
    """Draw a figure of stored runs."""
    from ..reports.document import record_figure
    from ..reports.figure_files import FORMATS, check_choice, draw
    from ..runs.store import Store

    spec: FigureSpec = catalog.spec("figures", figure)
    if spec.drawn_from in _COMMANDS:
        raise UsageError(f"`{_COMMANDS[spec.drawn_from]}` draws {figure}; `lossbench plot` cannot.")
    check_choice("--format", form, FORMATS)
    store = Store(results)
    losses = loss or (",".join(COMPARED_LOSSES) if spec.default == "compared" else None)
    runs = select_runs(store, run, losses, spec.default, data_dir)
    choices = {"split": split, "view": view, "metric": metric, "over": over, "projection": projection}
    choices["label"] = label
    default = store.figures / f"{_name(figure, runs, choices)}.{form}"
    path = draw(figure, runs, output or default, style=style, **choices)
    choices["style"] = style if style != "paper" else None
    shown = ", ".join(f"{name} {value}" for name, value in choices.items() if value)
    record_figure(store, path, figure, runs, made_by="plot", command=command_line(), choices=shown)
    if json:
        print_json({"figure": str(path), "runs": [r.name for r in runs]})
    else:
        print_message(f"Figure: {path}")


def _name(figure: str, runs: list[StoredRun], choices: dict[str, str | None]) -> str:
    losses = list(dict.fromkeys(run.config.loss for run in runs))
    shown = "-".join(losses) if len(losses) <= 5 else f"{len(losses)}-losses"
    parts = [figure, shown, runs[0].config.dataset, *filter(None, choices.values())]
    return re.sub("[^A-Za-z0-9+.-]+", "-", "-".join(parts))
