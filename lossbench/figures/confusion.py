"""Which class is taken for which: a confusion matrix per run, in which only the errors have a colour.

Numbers are test images. The colour is their share of the true class, on a square-root scale: the
diagonal, where nearly everything is, would else leave nothing to see.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..records import RunView
from ..specs import FigureSpec
from ._layout import caption_lines, grid_shape, panels, set_size, title_lines
from ._requirements import split_of
from ._style import PALETTE, ground, ink, ray, readable_on

SPEC = FigureSpec(
    title="confusion", summary="confusion matrix of the test images, errors in colour, accuracy of each class"
)
_ROW = 2  # panels: with three side by side the numbers are too small on a page


def draw_figure(figure: Figure, runs: Sequence[RunView]) -> None:
    """One panel per run; colours mean the same in all of them."""
    parts = [split_of(run, "test") for run in runs]
    tables = [counts(part.labels, part.predictions) for part in parts]
    largest = max(_shares(table).max() for _, table in tables) or 1.0
    norm = PowerNorm(0.5, 0, 100 * largest)
    height, width = grid_shape(len(runs), _ROW)
    lines = caption_lines(run.caption for run in runs)
    longest = max(len(name) for run in runs for name in run.class_names)
    size = 0.29 * max(len(present) for present, _ in tables) + 0.9 + 0.06 * longest
    spare = height * width > len(runs)
    set_size(figure, size * width + 0.7 * (not spare), (size + 0.3) * height + 0.2)
    grid = panels(figure, height, width, len(runs))
    for axes, run, (present, table) in zip(grid, runs, tables, strict=True):
        title_lines(axes, run.title, run.caption, lines)
        draw_axes(axes, table, [run.class_names[label] for label in present], norm)
    shades = ScalarMappable(norm, _errors())
    if spare:
        bar = figure.colorbar(shades, cax=_middle(figure.axes[-1]), location="bottom")
    else:
        bar = figure.colorbar(shades, ax=grid, shrink=0.55, aspect=28, pad=0.02)
    figure.supxlabel("numbers: test images; at the right: accuracy of the class", fontsize="small")
    bar.set_label("% of the true class", fontsize="medium")
    bar.outline.set_visible(False)


def _middle(axes: Axes) -> Axes:
    """A narrow place for the colour bar in the panel that is not needed."""
    axes.set_visible(True)
    axes.axis("off")
    return axes.inset_axes((0.1, 0.5, 0.8, 0.05))


def counts(labels: np.ndarray, predictions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The classes (c,) that occur, and how many of each (rows) were taken for each (columns): (c, c)."""
    present = np.union1d(labels, predictions)
    table = np.zeros((len(present), len(present)), int)
    np.add.at(table, (np.searchsorted(present, labels), np.searchsorted(present, predictions)), 1)
    return present, table


def draw_axes(axes: Axes, table: np.ndarray, names: Sequence[str], norm: PowerNorm) -> None:
    """Draw counts (c, c), rows the true classes from top to bottom; accuracies are at the right."""
    colors, places = _errors(), range(len(table))
    shares = 100 * _shares(table)
    axes.pcolormesh(
        np.ma.masked_equal(shares, 0), cmap=colors, norm=norm, edgecolors=ground(), linewidth=1, gid="errors"
    )
    for row in places:
        for column in places:
            if table[row, column]:
                _write(axes, row, column, table[row, column], colors(norm(shares[row, column])))
    for place in places:
        axes.add_patch(Rectangle((place, place), 1, 1, color=ray(), alpha=0.2, linewidth=0, zorder=0))
    centers = [place + 0.5 for place in places]
    long = max(map(len, names)) > 2
    axes.set_xticks(centers, names, rotation=90 if long else 0)
    axes.set_yticks(centers, names)
    axes.set_xlim(0, len(table))
    axes.set_ylim(len(table), 0)
    totals = np.maximum(table.sum(axis=1), 1)
    right = axes.secondary_yaxis("right")
    right.set_yticks(
        centers, [f"{100 * n / total:.1f} %" for n, total in zip(table.diagonal(), totals, strict=True)]
    )
    for side in (axes, right):
        side.tick_params(length=0, labelsize="small")
        for spine in side.spines.values():
            spine.set_visible(False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_aspect("equal")


def _shares(table: np.ndarray) -> np.ndarray:
    """Each error as a fraction of its row."""
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    np.fill_diagonal(shares, 0)
    return np.asarray(shares)


def _errors() -> Colormap:
    return LinearSegmentedColormap.from_list("errors", [ground(), PALETTE[1], PALETTE[2]])


def _write(axes: Axes, row: int, column: int, count: int, behind: tuple[float, ...]) -> None:
    """A number in ink or background colour, whichever stands out; on the diagonal in ink."""
    axes.text(
        column + 0.5, row + 0.5, f"{count}", ha="center", va="center",
        color=ink() if row == column else readable_on(behind[:3]),
        fontsize="small" if count < 1000 else "x-small", gid=f"count-{row}-{column}",
    )  # fmt: skip
