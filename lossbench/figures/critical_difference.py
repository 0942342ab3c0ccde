"""The critical-difference diagram: methods at their mean rank, bars over those not distinguishable."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..specs import FigureSpec
from ._layout import legend_below, set_size
from ._style import PALETTE, ink, note

SPEC = FigureSpec(
    title="critical-difference",
    summary="mean ranks over data sets, joined where no pair differs",
    after="Demsar 2006, Fig. 1",
    drawn_from="ranks",
)
_BAR_STEP = 0.55  # heights in rows of names
_REACH = 0.1  # of the axis: how far connectors go beyond it, room for the ranks written on them


def draw_figure(
    figure: Figure, names: Sequence[str], ranks: np.ndarray, groups: Sequence[Sequence[int]], *, xlabel: str
) -> None:
    """The height is that of half the names, which are on two sides."""
    set_size(figure, 6.5, 1.1 + 0.3 * ((len(names) + 1) // 2))
    draw_axes(axes := figure.subplots(), names, ranks, groups, xlabel=xlabel)
    if len(names) > 15:  # more numbers than there is room for
        axes.set_xticks([1, *range(5, len(names) + 1, 5)])
    if groups:
        bar = Line2D(
            [], [], color=PALETTE[0], linewidth=4, label="no two methods that a bar joins can be told apart"
        )
        legend_below(figure, [bar])


def draw_axes(
    axes: Axes,
    names: Sequence[str],
    ranks: np.ndarray,
    groups: Sequence[Sequence[int]],
    *,
    xlabel: str = "mean rank (1 is best)",
) -> None:
    """Draw methods with mean `ranks` (methods,); `groups` hold the numbers of methods that a bar joins.

    The better half is named on the left, best on top, the other on the right, worst on top, which keeps
    connectors from crossing.
    """
    count = len(names)
    order = np.argsort(ranks, kind="stable")
    margin = _REACH * max(count - 1, 1)
    levels = _stack(ranks, groups, margin)
    top = _BAR_STEP * (max(levels, default=-1) + 1) + 0.7
    half = (count + 1) // 2
    for row, method in enumerate(order[:half]):
        _connect(axes, names[method], float(ranks[method]), top + row, 1 - margin, "right")
    for row, method in enumerate(order[: half - 1 : -1]):
        _connect(axes, names[method], float(ranks[method]), top + row, count + margin, "left")
    for number, (group, level) in enumerate(zip(groups, levels, strict=True)):
        joined, height = ranks[list(group)], _BAR_STEP * (level + 0.8)
        ends = [joined.min() - margin / 7, joined.max() + margin / 7]
        style: Any = {"linewidth": 4, "solid_capstyle": "butt", "zorder": 3, "gid": f"group-{number}"}
        axes.plot(ends, [height] * 2, color=PALETTE[0], **style)
    axes.set_xlim(1 - margin, count + margin)
    axes.set_ylim(top + half - 0.5, 0)
    _frame(axes, count, xlabel)


def _stack(ranks: np.ndarray, groups: Sequence[Sequence[int]], margin: float) -> list[int]:
    """The lowest level for each bar at which it touches no bar before it."""
    free: list[float] = []  # where the last bar of each level ends
    levels = []
    for group in groups:
        joined = ranks[list(group)]
        level = next(
            (level for level, last in enumerate(free) if last + margin / 2 < joined.min()), len(free)
        )
        free[level : level + 1] = [float(joined.max())]
        levels.append(level)
    return levels


def _connect(axes: Axes, name: str, rank: float, height: float, side: float, alignment: str) -> None:
    axes.plot(
        [rank, rank, side], [0, height, height], color=ink(), linewidth=0.8, zorder=2, gid=f"method-{name}"
    )
    outward = -1 if alignment == "right" else 1
    outer: Any = {"ha": alignment, "va": "center_baseline", "fontsize": 9, "gid": f"name-{name}"}
    note(axes, name, (side, height), (4 * outward, 0), "data", **outer)
    inner: Any = {"ha": "left" if alignment == "right" else "right", "va": "bottom", "fontsize": 6.5}
    inner |= {"gid": f"rank-{name}"}
    note(axes, f"{rank:.2f}", (side, height), (-2 * outward, 1.5), "data", **inner)


def _frame(axes: Axes, count: int, xlabel: str) -> None:
    """Only the axis of ranks, above."""
    for name, spine in axes.spines.items():
        spine.set_visible(name == "top")
    axes.spines["top"].set_bounds(1, count)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xticks(range(1, count + 1))
    axes.set_xlabel(xlabel)
    axes.set_yticks([])
