"""All losses in order of a metric, the better ones on top: mean over seeds and its 95 % interval.

A single seed is a dot without a bar; intervals are cut off at what a number can be. Intervals of two
losses are not a test of their difference, which is paired: that is what `compare` and `forest` are for.
(Cleveland & McGill 1984: positions on a common scale.)
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..records import RunView
from ..specs import FigureSpec
from ..specs.quantities import better_sign, bounds, decimals, interval_text, metric_title
from ..statistics import Interval, mean_interval
from ..tables import counted
from ._layout import Range, draw_rows, limits, set_size
from ._settings import check_measured, grouped, number_of
from ._style import PALETTE, ground, note

SPEC = FigureSpec(
    title="leaderboard",
    summary="losses ranked by a metric, with 95 % intervals over seeds",
    default="every",
    choices={"metric": ("test_accuracy", "")},
)


class Place(NamedTuple):
    """One row: a loss or setting and its interval; NaN where it has no such number."""

    label: str
    interval: Interval


def draw_figure(figure: Figure, runs: Sequence[RunView], *, metric: str) -> None:
    """One column per metric, all in the order of the first. Raises RunError for one never measured."""
    metrics = metric.split(",")
    for name in metrics:
        check_measured(runs, name)
    groups = {label or alike[0].title: alike for label, alike in grouped(runs).items()}
    draw_places(
        figure, {name: [_place(label, alike, name) for label, alike in groups.items()] for name in metrics}
    )


def draw_places(figure: Figure, columns: Mapping[str, Sequence[Place]]) -> None:
    """The same for places by metric, each with the same labels in the same order."""
    first = next(iter(columns))
    order = [place.label for place in ranked(columns[first], better_sign(first))]
    width = 5.2 if len(columns) == 1 else 1.3 + 2.9 * len(columns)  # fonts shrink with a page that is wider
    set_size(figure, width, 0.22 * len(order) + 1.05)
    grid = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    for axes, (name, column) in zip(grid, columns.items(), strict=True):
        places = sorted(column, key=lambda place: order.index(place.label))
        style: Any = {"better": better_sign(name), "possible": bounds(name), "digits": decimals(name)}
        draw_axes(axes, places, title=metric_title(name), **style)


def _place(label: str, runs: Sequence[RunView], metric: str) -> Place:
    return Place(label, mean_interval([n for run in runs if (n := number_of(run, metric)) is not None]))


def ranked(places: Sequence[Place], better: int) -> list[Place]:
    """The best first: the largest, or the smallest for `better` -1; those without a number last."""
    towards = better or 1
    return sorted(
        places, key=lambda place: (place.interval.n == 0, -towards * place.interval.mean, place.label)
    )


def draw_axes(
    axes: Axes,
    places: Sequence[Place],
    *,
    title: str,
    better: int,
    possible: Range = (-np.inf, np.inf),
    digits: int = 2,
) -> None:
    """Draw rows from top to bottom. `better`: 1 when more is better, -1 when less is, 0 when neither.
    Intervals are cut off at the `possible` values; numbers have `digits` decimals.

    Rows far worse than the others are marks at the edge with their number, so that the others can be told
    apart.
    """
    low, high = limits([place.interval for place in places], better, possible)
    draw_rows(axes, [place.label for place in places], (low, high))
    counts = {interval.n for _, interval in places if interval.n}
    for row, (_, interval) in enumerate(places):
        if interval.n:
            _draw_row(axes, row, interval, (low, high), possible)
            beside: Any = {"va": "center_baseline", "fontsize": "medium", "gid": f"number-{row}"}
            text = interval_text(*interval[:2], possible, digits)
            text += f" ({interval.n})" if len(counts) > 1 else ""
            note(axes, text, (1, row), (6, 0), axes.get_yaxis_transform(), **beside)
    seeds = counted(max(counts, default=0), "seed") if len(counts) < 2 else "seeds"
    head = f"mean ± 95 % ({seeds})" if counts != {1} else seeds
    note(axes, head, (1, 1), (6, 2), "axes fraction", fontsize="small")
    direction = {1: "more is better →", -1: "← less is better", 0: ""}[better]
    axes.set_xlabel(f"{title}\n{direction}".rstrip())


def _draw_row(axes: Axes, row: int, interval: Interval, shown: Range, possible: Range) -> None:
    low, high = shown
    inside = low <= interval.mean <= high
    mark = "o" if inside else "<" if interval.mean < low else ">"
    place = min(max(interval.mean, low), high)
    if inside and np.isfinite(interval.half_width):
        ends = np.clip([interval.mean - interval.half_width, interval.mean + interval.half_width], *possible)
        axes.plot(
            ends, [row, row], color=PALETTE[0], linewidth=1.8, solid_capstyle="butt", gid=f"interval-{row}"
        )
    axes.plot(
        [place], [row], mark, color=PALETTE[0], markersize=5.5, markeredgecolor=ground(), markeredgewidth=0.7,
        zorder=4, clip_on=False, gid=f"mean-{row}",
    )  # fmt: skip
