"""A number over two swept settings, one cell per pair of values: mean over seeds, with its 95 % half width.

Cells are in order, not to scale. The best is outlined; where there is no run, the cell is hatched.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from ..errors import RunError
from ..records import RunView
from ..specs import FigureSpec, Value
from ..specs.quantities import bounds, higher_is_better, interval_text, metric_title
from ..statistics import Interval, mean_interval
from ._layout import set_size
from ._settings import axes_of, axis_title, grouped, number_of, order, tick_text, with_setting
from ._style import COLORMAP, ray, readable_on

SPEC = FigureSpec(
    title="heat map",
    summary="a metric over two swept settings, the best cell outlined",
    default="all",
    axes=2,
    choices={"over": (), "metric": ("test_accuracy", "")},
)
_CELL = (0.62, 0.46)  # inches


class Table(NamedTuple):
    """Values of both settings in order, and what the seeds give at each: cells[y][x]."""

    label: str
    x: Sequence[Value]
    y: Sequence[Value]
    cells: Sequence[Sequence[Interval]]

    @property
    def means(self) -> np.ndarray:
        """The means (y, x), NaN where there is no run."""
        return np.array([[cell.mean for cell in row] for row in self.cells])


def draw_figure(figure: Figure, runs: Sequence[RunView], *, over: str, metric: str) -> None:
    """A row per combination of what else was swept, a column per metric; one colour scale per metric."""
    x, y = axes_of(runs, over, 2)
    runs = with_setting(runs, [x, y])
    groups = grouped(runs, [x, y])
    names = metric.split(",")
    tables = {name: [_table(label, alike, x, y, name) for label, alike in groups.items()] for name in names}
    width, height = (len({run.settings[name] for run in runs}) for name in (x, y))
    set_size(
        figure, len(names) * (_CELL[0] * max(width, 3) + 1.5), len(groups) * (_CELL[1] * max(height, 3) + 1.0)
    )
    grid = figure.subplots(len(groups), len(names), squeeze=False)
    for column, name in zip(grid.T, names, strict=True):
        title = metric_title(name)
        limits = _limits(tables[name], title)
        for axes, table in zip(column, tables[name], strict=True):
            image = draw_axes(
                axes, table, limits=limits, highest_is_best=higher_is_better(name), possible=bounds(name)
            )
            axes.set_xlabel(axis_title(x, runs))
            vertical = axis_title(y, runs)
            axes.set_ylabel(vertical, rotation=90 if len(vertical) > 1 else 0)
            axes.set_title(table.label if len(groups) > 1 else runs[0].title, fontsize="medium")
        figure.colorbar(image, ax=list(column), label=title, aspect=30)
    cells = [cell for column in tables.values() for table in column for row in table.cells for cell in row]
    marks = {
        "mean ± 95 % interval over seeds": any(cell.n > 1 for cell in cells),
        "outlined: best": any(higher_is_better(name) is not None for name in names),
        "hatched: no run": not all(cell.n for cell in cells),
    }
    figure.supxlabel("; ".join(text for text, drawn in marks.items() if drawn), fontsize="small")


def _table(label: str, runs: Sequence[RunView], x: str, y: str, metric: str) -> Table:
    columns, rows = (sorted({run.settings[name] for run in runs}, key=order) for name in (x, y))
    numbers: dict[tuple[Value, Value], list[float]] = {}
    for run in runs:
        if (number := number_of(run, metric)) is not None and np.isfinite(number):
            numbers.setdefault((run.settings[x], run.settings[y]), []).append(number)
    cells = [[mean_interval(numbers.get((a, b), ())) for a in columns] for b in rows]
    return Table(label, columns, rows, cells)


def _limits(tables: Sequence[Table], title: str) -> tuple[float, float]:
    means = np.concatenate([table.means.ravel() for table in tables])
    if not np.isfinite(means).any():
        raise RunError(f"None of these runs has the number '{title}'; `compare --metric` measures it.")
    return float(np.nanmin(means)), float(np.nanmax(means))


def draw_axes(
    axes: Axes,
    table: Table,
    *,
    limits: tuple[float, float],
    highest_is_best: bool | None,
    possible: tuple[float, float] = (-np.inf, np.inf),
) -> AxesImage:
    """Draw one table with colours between `limits`; returns the image, for a colour bar. No cell is the best
    by a number that has no better side (None). Intervals are cut off at the `possible` values."""
    means = table.means
    image = axes.imshow(
        means, cmap=COLORMAP, vmin=limits[0], vmax=limits[1], origin="lower", aspect="auto", gid="cells"
    )
    decimals = _decimals(limits[1] - limits[0])
    for (row, column), mean in np.ndenumerate(means):
        if np.isnan(mean):
            place = (column - 0.5, row - 0.5)
            axes.add_patch(
                Rectangle(place, 1, 1, fill=False, hatch="////", edgecolor=ray(), linewidth=0, gid="empty")
            )
            continue
        half = table.cells[row][column].half_width
        text = interval_text(mean, half, possible, decimals).replace(" ", "\n", 1)
        tint = readable_on(image.to_rgba(mean)[:3])
        axes.text(column, row, text, ha="center", va="center", fontsize="small", color=tint, gid="number")
    if highest_is_best is not None and np.isfinite(means).any():
        best = np.nanargmax(means) if highest_is_best else np.nanargmin(means)
        row, column = np.unravel_index(best, means.shape)
        tint = readable_on(image.to_rgba(means[row, column])[:3])
        place = (column - 0.45, row - 0.43)
        axes.add_patch(Rectangle(place, 0.9, 0.86, fill=False, edgecolor=tint, linewidth=1.8, gid="best"))
    axes.set_xticks(range(len(table.x)), map(tick_text, table.x))
    axes.set_yticks(range(len(table.y)), map(tick_text, table.y))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return image


def _decimals(span: float) -> int:
    """Enough to tell cells apart that differ by a hundredth of the span."""
    return 2 if span <= 0 else int(np.clip(1 - np.floor(np.log10(span)), 1, 4))
