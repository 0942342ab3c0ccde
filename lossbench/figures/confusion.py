"""Which class is taken for which: a confusion matrix per run, in which only the errors have a colour.

Numbers are test images. The colour is the share of a true class that went there, on a square-root scale: the
diagonal, where nearly everything is, would else leave nothing to see.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap, PowerNorm, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..protocols import RunView
from ..specs import FigureSpec
from ._runs import part_of
from ._style import PALETTE, ground, ink, ray, set_size, title_lines

SPEC = FigureSpec(
    title="confusion",
    summary="confusion matrix of the test images, errors in colour, accuracy of each class",
)
_ROW = 3  # panels


def compose(figure: Figure, runs: Sequence[RunView]) -> None:
    """One panel per run; colours mean the same in all of them."""
    parts = [part_of(run, "test") for run in runs]
    tables = [counts(part.labels, part.predictions) for part in parts]
    largest = max(_shares(table).max() for _, table in tables) or 1.0
    norm = PowerNorm(0.5, 0, 100 * largest)
    height = math.ceil(len(runs) / _ROW)
    width = math.ceil(len(runs) / height)
    lines = [run.caption.split(" · ") for run in runs]
    longest = max(len(name) for run in runs for name in run.class_names)
    size = 0.29 * max(len(present) for present, _ in tables) + 0.9 + 0.06 * longest
    set_size(figure, size * width + 0.7, (size + 0.3) * height)
    grid = figure.subplots(height, width, squeeze=False)
    for axes in grid.flat[len(runs) :]:
        axes.set_visible(False)
    for axes, run, (present, table), own in zip(grid.flat, runs, tables, lines, strict=False):
        title_lines(axes, run.title, own, max(map(len, lines)))
        draw(axes, table, [run.class_names[label] for label in present], norm)
    bar = figure.colorbar(ScalarMappable(norm, _errors()), ax=grid, shrink=0.55, aspect=28, pad=0.02)
    bar.set_label("% of the true class", fontsize="medium")
    bar.outline.set_visible(False)


def counts(labels: np.ndarray, predictions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The classes (c,) that occur, and how many of each (rows) were taken for each (columns): (c, c)."""
    present = np.union1d(labels, predictions)
    table = np.zeros((len(present), len(present)), int)
    np.add.at(table, (np.searchsorted(present, labels), np.searchsorted(present, predictions)), 1)
    return present, table


def draw(axes: Axes, table: np.ndarray, names: Sequence[str], norm: PowerNorm) -> None:
    """Draw counts (c, c), rows the true classes from top to bottom; accuracies stand at the right."""
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
    centres = [place + 0.5 for place in places]
    long = max(map(len, names)) > 2
    axes.set_xticks(centres, names, rotation=90 if long else 0)
    axes.set_yticks(centres, names)
    axes.set_xlim(0, len(table))
    axes.set_ylim(len(table), 0)
    totals = np.maximum(table.sum(axis=1), 1)
    right = axes.secondary_yaxis("right")
    right.set_yticks(
        centres, [f"{100 * n / total:.1f} %" for n, total in zip(table.diagonal(), totals, strict=True)]
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
    found = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    np.fill_diagonal(found, 0)
    return np.asarray(found)


def _errors() -> Colormap:
    return LinearSegmentedColormap.from_list("errors", [ground(), PALETTE[1], PALETTE[2]])


def _write(axes: Axes, row: int, column: int, count: int, behind: tuple[float, ...]) -> None:
    """A number in ink or ground colour, whichever stands out."""
    readable = ink()
    if row != column:
        readable = max(ink(), ground(), key=lambda tint: _contrast(to_rgb(tint), behind[:3]))
    axes.text(
        column + 0.5, row + 0.5, f"{count}", ha="center", va="center", color=readable,
        fontsize="small" if count < 1000 else "x-small", gid=f"count-{row}-{column}",
    )  # fmt: skip


def _contrast(a: Sequence[float], b: Sequence[float]) -> float:
    """Ratio of luminances (WCAG 2.1), 1 to 21."""
    light, dark = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(rgb: Sequence[float]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
