"""Paired differences to a baseline, one row per loss: every seed, the mean and its 95 % interval.

A forest plot (Lewis & Clarke 2001). Verdicts differ in colour and in mark, which remains in grey print. A
row far off the others is an arrow at the edge with its number; intervals and seeds that leave the axis are
cut off there.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..specs import FigureSpec
from ..statistics import Verdict
from ._layout import draw_rows, set_size
from ._style import FAINT, PALETTE, ground, ink, note

SPEC = FigureSpec(
    title="forest",
    summary="paired differences to a baseline, one row per loss",
    after="Lewis & Clarke 2001, BMJ 322, Fig. 2",
    drawn_from="comparison",
    default="every",
    choices={"metric": ("test_accuracy", "")},
)
STYLES: dict[Verdict | None, tuple[str, str]] = {  # mark and colour
    "better": ("^", PALETTE[0]),
    "worse": ("v", PALETTE[2]),
    "not distinguishable": ("o", FAINT),
    None: ("D", FAINT),
}
_SPAN = 0.27  # seeds of a row lie between -_SPAN and _SPAN of it, in their order: equal ones stay apart
_FAR = 5  # times as far from 0 as the usual row reaches: nothing beyond is drawn
_FEW = 12  # rows that are 0.32 inches high, each further one adds 0.12


class Row(NamedTuple):
    """One loss: the differences of its seeds (n,), their mean and interval, and a note for the margin.

    number: mean and interval in words, drawn where the mean is beyond the axis.
    """

    label: str
    differences: np.ndarray
    mean: float
    low: float
    high: float
    verdict: Verdict | None
    note: str = ""
    number: str = ""


def draw_figure(figure: Figure, rows: Sequence[Row], *, baseline: str, unit: str) -> None:
    """As high as the rows need."""
    set_size(figure, 6.5, 0.32 * min(len(rows), _FEW) + 0.12 * max(len(rows) - _FEW, 0) + 1.2)
    draw_axes(figure.subplots(), rows, baseline=baseline, unit=unit)


def draw_axes(axes: Axes, rows: Sequence[Row], *, baseline: str, unit: str = "percentage points") -> None:
    """Draw rows from top to bottom.

    An interval that is NaN is left out, a mean that is NaN leaves the row empty.
    """
    axes.axvline(0, color=ink(), linewidth=0.9, zorder=1.5, gid="baseline")
    low, high = _limits(rows)
    draw_rows(axes, [row.label for row in rows], (low, high), "medium" if len(rows) <= 20 else "small")
    far = [place for place, row in enumerate(rows) if row.mean < low or row.mean > high]
    for place, row in enumerate(rows):
        if place in far:
            _draw_far_row(axes, place, row, low if row.mean < low else high)
        else:
            _draw_row(axes, place, row)
        if row.note:
            beside: Any = {"va": "center_baseline", "fontsize": "small", "gid": f"note-{place}"}
            note(axes, row.note, (1, place), (6, 0), axes.get_yaxis_transform(), **beside)
    axes.tick_params(axis="y", pad=6)
    axes.set_xlabel(f"difference to {baseline}, {unit}", wrap=True)
    above: Any = {"ha": "center", "va": "bottom", "fontsize": "small", "gid": "baseline-name"}
    note(axes, baseline, (0, 1), (0, 2), axes.get_xaxis_transform(), **above)
    _draw_legend(axes, rows, arrows=bool(far))


def _draw_row(axes: Axes, place: int, row: Row) -> None:
    mark, tint = STYLES[row.verdict]
    count = len(row.differences)
    heights = place + 2 * _SPAN * (np.arange(count) - (count - 1) / 2) / max(count - 1, 1)
    dots: Any = {"s": 8, "color": tint, "alpha": 0.4, "linewidths": 0, "zorder": 2}
    axes.scatter(row.differences, heights, gid=f"seeds-{place}", **dots)
    line: Any = {"color": tint, "linewidth": 1.8, "solid_capstyle": "butt", "zorder": 3}
    axes.plot([row.low, row.high], [place, place], gid=f"interval-{place}", **line)
    point: Any = {"marker": mark, "markersize": 6.5, "markeredgecolor": ground(), "markeredgewidth": 0.7}
    axes.plot([row.mean], [place], color=tint, zorder=4, gid=f"mean-{place}", **point)


def _draw_far_row(axes: Axes, place: int, row: Row, edge: float) -> None:
    tint, left = STYLES[row.verdict][1], row.mean < edge
    arrow: Any = {"marker": "<" if left else ">", "markersize": 6.5, "clip_on": False, "gid": f"mean-{place}"}
    axes.plot([edge], [place], color=tint, zorder=4, **arrow)
    side: Any = {"ha": "left" if left else "right", "va": "center_baseline", "fontsize": "small"}
    offset = (8.0 if left else -8.0, 0.0)
    note(axes, row.number, (edge, place), offset, "data", gid=f"number-{place}", **side)


def _limits(rows: Sequence[Row]) -> tuple[float, float]:
    """The ends of the axis: 0 and all rows, but nothing beyond `_FAR` times the reach of the usual row."""
    values = [np.nan_to_num([*row.differences, row.mean, row.low, row.high]) for row in rows]
    reaches = np.array([np.abs(each).max() for each in values])
    filled = reaches[reaches > 0]  # a row without seeds says nothing of the usual size
    limit = _FAR * np.median(filled) if len(filled) else 1.0
    near = [each for each, row in zip(values, rows, strict=True) if not abs(row.mean) > limit]
    ends = np.clip(np.concatenate([[0.0], *near]), -limit, limit)
    margin = 0.05 * float(ends.max() - ends.min()) or limit
    return float(ends.min()) - margin, float(ends.max()) + margin


def _draw_legend(axes: Axes, rows: Sequence[Row], *, arrows: bool) -> None:
    marks = [
        Line2D(
            [],
            [],
            marker=mark,
            color=tint,
            linewidth=1.8,
            markeredgecolor=ground(),
            label=verdict or "not tested",
        )
        for verdict, (mark, tint) in STYLES.items()
        if any(row.verdict == verdict for row in rows if verdict or len(row.differences))
    ]
    if any(len(row.differences) for row in rows):
        dot: Any = {"marker": "o", "markersize": 2.8, "alpha": 0.5, "linestyle": ""}
        marks.append(Line2D([], [], color=FAINT, label="one seed", **dot))
    if arrows:
        marks.append(Line2D([], [], marker="<", color=FAINT, linestyle="", label="mean beyond the axis"))
    place: Any = {"loc": "lower center", "bbox_to_anchor": (0.5, 1), "borderaxespad": 1.7}  # above the name
    axes.legend(handles=marks, ncols=5, fontsize="small", **place)
