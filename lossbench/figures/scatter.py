"""Two numbers of every loss in a panel: means over seeds with 95 % intervals, coloured by groups.

Panels stand one below the other, so that names can be read at the width of a page. A loss far off, as
`leaderboard` counts it, is an arrow at the edge. Names are drawn where there is room, those of the first
groups first, and joined to their points where these are not beside them; a note counts the others.
"""

from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..specs import FigureSpec
from ..statistics import Interval
from ._layout import Range, legend_below, limits, set_size
from ._style import FAINT, PALETTE, ground, ink, note

SPEC = FigureSpec(
    title="scatter",
    summary="two metrics, one point per loss, with intervals, coloured by groups",
    drawn_from="benchmark",
)
_SIZE = (9.0, 4.6)  # inches of a panel
_FONT = 7.5  # points
_GAPS = (5.0, 13.0)  # points between a name and its point; beyond the first a line joins them
_PLACES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))
_MARKS = "os^Dv"


class Point(NamedTuple):
    """One loss: its two intervals, and the number of its group, 0 the best."""

    label: str
    x: Interval
    y: Interval
    group: int = 0


class Axis(NamedTuple):
    """What an axis shows. better: 1 where more is better, -1 where less is, 0 for neither."""

    title: str
    better: int
    possible: Range = (-np.inf, np.inf)

    @property
    def label(self) -> str:
        """The title and the better side."""
        return self.title + {1: ", more is better", -1: ", less is better", 0: ""}[self.better]


class Panel(NamedTuple):
    """The points of one pair of axes."""

    points: Sequence[Point]
    x: Axis
    y: Axis


def draw_figure(
    figure: Figure, panels: Sequence[Panel], *, names: Sequence[str] = (), diagonal: bool = False
) -> None:
    """Panels one below the other. names: of the groups in the legend, none without. diagonal: the line of
    equal numbers."""
    set_size(figure, _SIZE[0], _SIZE[1] * len(panels))
    grid = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    places = [_draw_panel(axes, panel) for axes, panel in zip(grid, panels, strict=True)]
    for axes in grid:
        if diagonal:
            axes.axline((0, 0), slope=1, color=FAINT, linewidth=0.8, linestyle=":", gid="diagonal")
    present = [
        n for n in range(len(names)) if any(_kind(point) == n for panel in panels for point in panel.points)
    ]
    handles = [
        Line2D([], [], linestyle="", marker=_MARKS[n % len(_MARKS)], color=PALETTE[n], label=names[n])
        for n in present
    ]
    means = [[(point.x.mean, point.y.mean) for point in panel.points] for panel in panels]
    if not all(np.array_equal(own, mean, equal_nan=True) for own, mean in zip(places, means, strict=True)):
        handles.append(Line2D([], [], linestyle="", marker="<", color=FAINT, label="beyond the axis"))
    legend_below(figure, handles)
    figure.draw_without_rendering()  # lays it out: where there is room for names depends on it
    for axes, panel, own in zip(grid, panels, places, strict=True):
        _note_unnamed(axes, len(panel.points), _draw_names(axes, panel.points, own))


def _draw_panel(axes: Axes, panel: Panel) -> np.ndarray:
    """Everything but the names. Returns where the points are drawn."""
    points, x, y = panel
    across = limits([point.x for point in points], x.better, x.possible)
    up = limits([point.y for point in points], y.better, y.possible)
    places = [_draw_point(axes, number, point, across, up) for number, point in enumerate(points)]
    axes.set_xlim(*across)
    axes.set_ylim(*up)
    axes.set_xlabel(x.label)
    axes.set_ylabel(y.label)
    axes.grid(linewidth=0.4, alpha=0.5)
    axes.set_axisbelow(True)
    return np.array(places)


def _kind(point: Point) -> int:
    return min(point.group, len(_MARKS) - 1)


def _draw_point(axes: Axes, number: int, point: Point, across: Range, up: Range) -> tuple[float, float]:
    """Where the point is drawn: at the edge where it lies beyond."""
    place = float(np.clip(point.x.mean, *across)), float(np.clip(point.y.mean, *up))
    tint, inside = PALETTE[_kind(point)], place == (point.x.mean, point.y.mean)
    if inside:
        widths = [[w if np.isfinite(w) else 0.0] for w in (point.x.half_width, point.y.half_width)]
        bars: Any = {"ecolor": tint, "elinewidth": 0.8, "alpha": 0.45, "fmt": "none", "zorder": 2}
        axes.errorbar([place[0]], [place[1]], xerr=widths[0], yerr=widths[1], **bars)
        mark = _MARKS[_kind(point)]
    elif place[0] == point.x.mean:
        mark = "v" if point.y.mean < place[1] else "^"
    else:
        mark = "<" if point.x.mean < place[0] else ">"
    style: Any = {
        "color": tint if inside else FAINT,
        "edgecolors": ground(),
        "linewidths": 0.6,
        "clip_on": False,
    }
    axes.scatter(*place, s=30, marker=mark, zorder=3, gid=f"point-{number}", **style)
    return place


def _note_unnamed(axes: Axes, count: int, unnamed: int) -> None:
    """At the right of the axis title how many of the losses have no name."""
    if unnamed:
        words = f"{unnamed} of {count} losses {'is' if unnamed == 1 else 'are'} not named"
        title = axes.xaxis.label.get_window_extent()
        offset = (0, ((title.y0 + title.y1) / 2 - axes.bbox.y0) * 72 / axes.figure.dpi)
        style: Any = {"ha": "right", "va": "center", "fontsize": "small", "gid": "unnamed"}
        note(axes, words, (1, 0), offset, "axes fraction", **style)


def _draw_names(axes: Axes, points: Sequence[Point], places: np.ndarray) -> int:
    """Names beside their points where they cover neither a point nor another name. Returns how many points
    have none."""
    dot = 72 / axes.figure.dpi  # 1/72 inch, in which offsets of names count
    dots = np.asarray(axes.transData.transform(places) - axes.bbox.min, dtype=float) * dot
    size = np.asarray(axes.bbox.size, dtype=float) * dot
    taken: list[tuple[float, float, float, float]] = [(a - 3, b - 3, a + 3, b + 3) for a, b in dots]
    unnamed = 0
    for number in sorted(range(len(points)), key=lambda n: (points[n].group, n)):
        label, (left, low) = points[number].label, dots[number]
        width, height = 0.63 * _FONT * len(label), 1.15 * _FONT
        for gap, (right, above) in product(_GAPS, _PLACES):
            a = left + (gap if right > 0 else -gap - width if right < 0 else -width / 2)
            b = low + (gap - 1 if above > 0 else 1 - gap - height if above < 0 else -height / 2)
            box = (a, b, a + width, b + height)
            if a < 0 or b < 0 or box[2] > size[0] or box[3] > size[1]:
                continue
            others = (each for n, each in enumerate(taken) if n != number)
            if not any(box[0] < o[2] and o[0] < box[2] and box[1] < o[3] and o[1] < box[3] for o in others):
                taken.append(box)
                side = {1: "left", 0: "center", -1: "right"}[right]  # of the text, which is a little narrower
                style: Any = {"fontsize": _FONT, "color": ink(), "ha": side, "va": "bottom"}
                style["gid"] = f"name-{number}"
                if gap > _GAPS[0]:
                    style["arrowprops"] = {"arrowstyle": "-", "color": FAINT, "linewidth": 0.5, "shrinkB": 2}
                axes.annotate(
                    label, places[number], (gap * right, b - low), textcoords="offset points", **style
                )
                break
        else:
            unnamed += 1
    return unnamed
