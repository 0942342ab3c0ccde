"""Best score so far against the number of trials, one line per tuned loss, every trial as a point.

Shows what a score costs to find (Dodge et al. 2019, arXiv 1909.03004, who average over orders of random
trials; here the trials were proposed one after another, so their order is part of the method).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ..specs import FigureSpec
from ._layout import set_size
from ._style import FAINT, PALETTE, ink

SPEC = FigureSpec(
    title="budget",
    summary="best validation score against number of trials",
    after="Dodge et al. 2019, Fig. 1",
    drawn_from="searches",
)
_LINES = ("-", "--", ":", "-.")  # colours repeat after ten losses


class Line(NamedTuple):
    """One search: the value of each trial (n,), NaN where it was given up, and the best so far (n,)."""

    label: str
    values: np.ndarray
    best: np.ndarray


def draw_figure(figure: Figure, lines: Sequence[Line], *, ylabel: str, higher_is_better: bool) -> None:
    """High enough for the legend beside it."""
    set_size(figure, 6.5, max(3.2, 0.6 + 0.18 * len(lines)))
    draw_axes(figure.subplots(), lines, ylabel=ylabel, higher_is_better=higher_is_better)


def draw_axes(axes: Axes, lines: Sequence[Line], *, ylabel: str, higher_is_better: bool) -> None:
    """Draw searches; a trial that was given up, or is far worse than where the bests begin, is a cross
    beyond the dotted line, in its search's row."""
    low, high = _limits(lines, higher_is_better)
    poor = [_poor(line, low, high, higher_is_better) for line in lines]
    rows = [number for number in range(len(lines)) if poor[number].any()]
    pitch = min(0.05, 0.3 / max(len(rows), 1)) * (high - low)
    edge, outward = (low, -pitch) if higher_is_better else (high, pitch)
    for number, line in enumerate(lines):
        tint, trials = PALETTE[number % len(PALETTE)], np.arange(1, len(line.values) + 1)
        axes.step(
            trials,
            line.best,
            where="post",
            color=tint,
            linestyle=_LINES[number // len(PALETTE) % len(_LINES)],
            label=f"{line.label}  {line.best[-1]:.2f}",
            zorder=3,
            gid=f"best-{number}",
        )
        seen, missed = ~poor[number], poor[number]
        points: dict[str, Any] = {"color": tint, "zorder": 2}
        axes.scatter(
            trials[seen], line.values[seen], s=14, linewidths=0, alpha=0.6, gid=f"trials-{number}", **points
        )
        if number in rows:
            height = np.full(missed.sum(), edge + (rows.index(number) + 1) * outward)
            axes.scatter(
                trials[missed], height, s=14, marker="x", linewidths=1, gid=f"poor-{number}", **points
            )
    _finish(axes, lines, ylabel, (low, high), edge + (len(rows) + 1) * outward if rows else None)


def _limits(lines: Sequence[Line], higher_is_better: bool) -> tuple[float, float]:
    """From the worst of the first bests to the best of all, with some room, more of it at the poor end."""
    ends = [end for line in lines for end in (line.best[np.isfinite(line.best)][0], line.best[-1])]
    low, high = min(ends), max(ends)
    room = 0.15 * (high - low) or 0.01 * abs(high) or 1.0
    return (low - 2 * room, high + room) if higher_is_better else (low - room, high + 2 * room)


def _poor(line: Line, low: float, high: float, higher_is_better: bool) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        beyond = line.values < low if higher_is_better else line.values > high
    return np.asarray(~np.isfinite(line.values) | beyond)


def _finish(
    axes: Axes, lines: Sequence[Line], ylabel: str, limits: tuple[float, float], end: float | None
) -> None:
    low, high = limits
    handles, labels = axes.get_legend_handles_labels()
    order = sorted(range(len(lines)), key=lambda number: -lines[number].best[-1])
    handles, labels = [handles[number] for number in order], [labels[number] for number in order]
    if end is not None:
        axes.axhline(low if end < low else high, color=FAINT, linewidth=0.8, linestyle=":", gid="edge")
        handles.append(Line2D([], [], color=FAINT, marker="x", markersize=4, linestyle=""))
        labels.append("poor or given up")
    axes.set_yticks([tick for tick in MaxNLocator(6).tick_values(low, high) if low <= tick <= high])
    axes.set_ylim(min(low, high if end is None else end), max(high, low if end is None else end))
    axes.set_xlim(0.4, max(len(line.values) for line in lines) + 0.6)  # no tick at 0
    axes.set_xlabel("trials")
    axes.set_ylabel(ylabel, wrap=True)
    axes.grid(axis="y", linewidth=0.4, alpha=0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.legend(handles, labels, fontsize=8, labelcolor=ink(), loc="center left", bbox_to_anchor=(1, 0.5))
