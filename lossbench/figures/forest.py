"""Paired differences to a baseline, one row per loss: every seed, the mean and its 95 % interval.

A forest plot (Lewis & Clarke 2001). Verdicts differ in colour and in mark, which remains in grey print.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..specs import FigureSpec
from ..statistics import Verdict
from ._layout import set_size
from ._style import FAINT, PALETTE, ground, ink, note, ray

SPEC = FigureSpec(
    title="forest",
    summary="paired differences to a baseline, one row per loss",
    after="Lewis & Clarke 2001, BMJ 322, Fig. 2",
    drawn_from="comparison",
    default="every",
    choices={"metric": ("test_accuracy", "")},
)
STYLES: dict[Verdict, tuple[str, str]] = {  # mark and colour
    "better": ("^", PALETTE[0]),
    "worse": ("v", PALETTE[2]),
    "not distinguishable": ("o", FAINT),
}
_SPAN = 0.27  # seeds of a row lie between -_SPAN and _SPAN of it, in their order: equal ones stay apart
_WIDE = 30  # a linear axis would press the usual row into less than a thirtieth of its half


class Row(NamedTuple):
    """One loss: the differences of its seeds (n,), their mean and interval, and a note for the margin."""

    label: str
    differences: np.ndarray
    mean: float
    low: float
    high: float
    verdict: Verdict
    note: str = ""


def draw_figure(figure: Figure, rows: Sequence[Row], *, baseline: str, unit: str) -> None:
    """As high as there are rows."""
    set_size(figure, 6.5, 0.32 * len(rows) + 1.2)
    draw_axes(figure.subplots(), rows, baseline=baseline, unit=unit)


def draw_axes(axes: Axes, rows: Sequence[Row], *, baseline: str, unit: str = "percentage points") -> None:
    """Draw rows from top to bottom; the axis is logarithmic away from 0 where they differ much in size.

    An interval that is NaN is left out, a mean that is NaN leaves the row empty.
    """
    axes.axvline(0, color=ink(), linewidth=0.9, zorder=1.5, gid="baseline")
    for place, row in enumerate(rows):
        _draw_row(axes, place, row)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [row.label for row in rows], fontsize="medium")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(f"difference to {baseline}, {unit}{_scale_x(axes, rows)}", wrap=True)
    axes.grid(axis="x", linewidth=0.4, alpha=0.5)
    axes.set_axisbelow(True)
    above: Any = {"ha": "center", "va": "bottom", "fontsize": "small", "gid": "baseline-name"}
    note(axes, baseline, (0, 1), (0, 2), axes.get_xaxis_transform(), **above)
    _draw_legend(axes, rows)


def _draw_row(axes: Axes, place: int, row: Row) -> None:
    mark, tint = STYLES[row.verdict]
    if place % 2:
        axes.axhspan(place - 0.5, place + 0.5, color=ray(), alpha=0.13, linewidth=0, zorder=0)
    count = len(row.differences)
    heights = place + 2 * _SPAN * (np.arange(count) - (count - 1) / 2) / max(count - 1, 1)
    dots: Any = {"s": 8, "color": tint, "alpha": 0.4, "linewidths": 0, "zorder": 2}
    axes.scatter(row.differences, heights, gid=f"seeds-{place}", **dots)
    line: Any = {"color": tint, "linewidth": 1.8, "solid_capstyle": "butt", "zorder": 3}
    axes.plot([row.low, row.high], [place, place], gid=f"interval-{place}", **line)
    point: Any = {"marker": mark, "markersize": 6.5, "markeredgecolor": ground(), "markeredgewidth": 0.7}
    axes.plot([row.mean], [place], color=tint, zorder=4, gid=f"mean-{place}", **point)
    if row.note:
        beside: Any = {"va": "center_baseline", "fontsize": "small", "gid": f"note-{place}"}
        note(axes, row.note, (1, place), (6, 0), axes.get_yaxis_transform(), **beside)


def _scale_x(axes: Axes, rows: Sequence[Row]) -> str:
    """Choose the scale, and return what the axis label has to say about it."""
    axes.margins(x=0.05)
    largest = np.array([np.nanmax(np.abs([*row.differences, row.low, row.high, 0])) for row in rows])
    filled = largest[largest > 0]  # a row without seeds says nothing of the usual size
    usual = float(np.median(filled)) if len(filled) else 0.0
    if usual == 0 or largest.max() <= _WIDE * usual:
        return ""
    decade = 10.0 ** np.floor(np.log10(usual))
    limit = float(next(step * decade for step in (1, 2, 5, 10) if step * decade >= usual))
    axes.set_xscale("symlog", linthresh=limit, linscale=1.5)
    low, high = axes.get_xlim()
    powers = limit * 10.0 ** np.arange(9)
    ticks = [x for x in (*-powers[::-1], -limit / 2, 0, limit / 2, *powers) if low <= x <= high]
    axes.set_xticks(ticks, [f"{x:g}".replace("-", "−") for x in ticks])
    axes.minorticks_off()
    return f" (logarithmic beyond ±{limit:g})"


def _draw_legend(axes: Axes, rows: Sequence[Row]) -> None:
    marks = [
        Line2D([], [], marker=mark, color=tint, linewidth=1.8, markeredgecolor=ground(), label=verdict)
        for verdict, (mark, tint) in STYLES.items()
        if any(row.verdict == verdict for row in rows)
    ]
    place: Any = {"loc": "lower center", "bbox_to_anchor": (0.5, 1), "borderaxespad": 1.7}  # above the name
    axes.legend(handles=marks, ncols=3, fontsize="small", **place)
