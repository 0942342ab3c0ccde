"""Sizes, titles and grids of panels."""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.container import Container
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple

from ..records import RunView
from ..statistics import Interval
from ._style import note, ray

Range = tuple[float, float]

_ROW = 5  # panels
_SIDE = 2.7  # inches of a panel of one run
_LEGEND_COLUMN = 3.6  # inches
_ROWS_APART = 0.08  # inches around each axes where there are several rows
_NARROWEST = 3.8  # inches of a figure: a line or the legend below one panel needs them
_LONGEST = 36  # letters of a line of a caption: longer ones would take the room of the panels
_FAR = 4  # times as far from the best as the median is: farther ones stand at the edge


def set_size(figure: Figure, width: float, height: float) -> None:
    """Size a figure in inches at the paper's fonts; with larger fonts it grows a little less than they."""
    grown = (rcParams["font.size"] / 9) ** 0.6
    figure.set_size_inches(grown * width, grown * height)


def caption_lines(captions: Iterable[str]) -> int:
    """How many lines the longest of the captions has in `title_lines`."""
    return max(len(_lines_of(caption)) for caption in captions)


def _lines_of(caption: str) -> list[str]:
    """The parts of a caption between ' · '; a long one is divided at commas."""
    lines = []
    for part in caption.split(" · "):
        line, *more = part.split(", ")
        for each in more:
            if len(f"{line}, {each}") <= _LONGEST:
                line += f", {each}"
            else:
                lines.append(f"{line},")
                line = each
        lines.append(line)
    return lines


def title_lines(axes: Axes, title: str, caption: str, height: int) -> None:
    """A bold title above the small lines of a caption; `height`: the lines of the longest one in the row."""
    pitch = 4 / 3 * rcParams["font.size"]
    axes.set_title(title, fontweight="bold", pad=4 + pitch * height)
    for row, line in enumerate(reversed(_lines_of(caption))):
        note(axes, line, (0.5, 1), (0, 4 + pitch * row), "axes fraction", ha="center", fontsize="medium")


def legend_below(
    figure: Figure, handles: Sequence[Artist | Container], words: str = "", *, lines: int = 1
) -> None:
    """What marks mean, below all panels, in as many columns as fit, and above it these words and that axes of
    planes differ where they do; the figure grows by its height. lines: of the longest label."""
    differ = len({axes.get_xlim() for axes in figure.axes if axes.get_aspect() == 1}) > 1
    title = "; ".join(filter(None, [words, "axes differ between panels" * differ]))
    if handles or title:
        figure.set_figwidth(max(figure.get_figwidth(), _NARROWEST * rcParams["font.size"] / 9))
        columns = max(1, min(len(handles), int(figure.get_figwidth() / _LEGEND_COLUMN)))
        rows = math.ceil(len(handles) / columns)
        height = (1.6 * bool(title) + (0.4 + 1.2 * lines) * rows + 0.6) * rcParams["font.size"] / 72
        figure.set_figheight(figure.get_figheight() + height)
        style: Any = {"title": title or None, "title_fontsize": "small"}
        style |= {"loc": "outside lower center", "ncols": columns, "fontsize": "medium"}
        widest = max((len(each) for each in handles if isinstance(each, Container)), default=0)
        style |= {"handlelength": max(2, widest), "handler_map": {Container: HandlerTuple(ndivide=None)}}
        figure.legend(handles=list(handles), **style)


def grid_shape(count: int, longest: int = _ROW) -> tuple[int, int]:
    """Rows and columns for `count` panels: rows of nearly equal length, none longer than `longest`."""
    rows = math.ceil(count / longest)
    return rows, math.ceil(count / rows)


def panels(figure: Figure, rows: int, columns: int, count: int) -> list[Axes]:
    """The first `count` axes of a grid; the others are hidden."""
    _part_rows(figure, rows)
    grid: list[Axes] = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in grid[count:]:
        axes.set_visible(False)
    return grid[:count]


def _part_rows(figure: Figure, rows: int) -> None:
    """Keep the titles of later rows off the axes above them."""
    if rows > 1 and (engine := figure.get_layout_engine()):
        engine.set(h_pad=_ROWS_APART)  # type: ignore[call-arg]


def run_columns(figure: Figure, count: int, rows: int, **options: Any) -> list[list[Axes]]:
    """For each of `count` runs `rows` axes, one below the other; at most five runs side by side."""
    bands, width = grid_shape(count)
    _part_rows(figure, bands)
    grid = figure.subplots(bands * rows, width, squeeze=False, **options)
    columns = [list(grid[band * rows : (band + 1) * rows, c]) for band in range(bands) for c in range(width)]
    for axes in itertools.chain(*columns[count:]):
        axes.set_visible(False)
    return columns[:count]


def run_panels(
    figure: Figure, runs: Sequence[RunView], *, row: float, below: float = 0.0, key: str = ""
) -> list[Axes]:
    """One square axes per run under its title and caption, at most five in a row; `row` is the height in
    inches of what else a row holds, its title included, `below` of what all share. `key` is a sentence
    below all panels, on one line where there are several."""
    rows, columns = grid_shape(len(runs))
    if key:
        key = key if len(runs) == 1 else key.replace("\n", " ")
        figure.supxlabel(key, fontsize="small")
        below += 0.2 * (1 + key.count("\n"))
    lines = caption_lines(run.caption for run in runs)
    side = max(_SIDE, _NARROWEST / columns)
    text = (rcParams["font.size"] / 9) ** 0.4  # grows more than the figure, see set_size
    set_size(figure, side * columns + 0.2, rows * (side + text * (0.17 * lines + row)) + text * below)
    axes_of_runs = panels(figure, rows, columns, len(runs))
    for axes, run in zip(axes_of_runs, runs, strict=True):
        title_lines(axes, run.title, run.caption, lines)
    return axes_of_runs


def draw_rows(axes: Axes, labels: Sequence[str], across: Range, fontsize: str = "medium") -> None:
    """Rows with labels, from top to bottom, every other one on grey, over an axis with these ends."""
    for row in range(1, len(labels), 2):
        axes.axhspan(row - 0.5, row + 0.5, color=ray(), alpha=0.13, linewidth=0, zorder=0)
    axes.set_xlim(*across)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_yticks(range(len(labels)), labels, fontsize=fontsize)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", linewidth=0.4, alpha=0.5)
    axes.set_axisbelow(True)


def limits(intervals: Sequence[Interval], better: int, possible: Range = (-np.inf, np.inf)) -> Range:
    """The ends of the axis: all intervals, without rows more than `_FAR` times as far off as the median where
    these are few, and at most a quarter of all. An interval longer than twice the median one, and than half
    the range of the means, runs off the axis, so that it does not press the others together."""
    means = np.array([each.mean for each in intervals if each.n])
    best = means.max() if better >= 0 else means.min()
    off = np.abs(means - best)
    reach = _FAR * np.median(off)
    kept = off <= reach if better and reach > 0 else np.full(len(means), True)
    if (~kept).sum() > min(0.25 * len(kept), max(3, 0.1 * len(kept))):
        kept[:] = True
    widths = np.nan_to_num([each.half_width for each in intervals if each.n])
    widths = np.minimum(widths, max(np.ptp(means[kept]) / 2, 2 * np.median(widths)))
    ends = np.clip(np.concatenate([(means - widths)[kept], (means + widths)[kept]]), *possible)
    margin = 0.04 * (ends.max() - ends.min()) or 0.01 * abs(best) or 1.0
    return float(ends.min() - margin), float(ends.max() + margin)
