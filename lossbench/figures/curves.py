"""A metric against a swept setting: mean over seeds, its 95 % band, and every seed as a point.

Bands are cut off at what a number can be.

Follows Wen et al. 2016, Fig. 5 (accuracy against lambda and alpha).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from ..records import RunView
from ..specs import FigureSpec
from ..specs.quantities import bounds, metric_title
from ..statistics import mean_interval
from ._layout import legend_below, set_size
from ._settings import axes_of, axis_title, check_measured, grouped, number_of, order, tick_text, with_setting
from ._style import color

SPEC = FigureSpec(
    title="curves",
    summary="metrics against a swept setting, with a band over seeds",
    after="Wen et al. 2016, Fig. 5",
    default="all",
    choices={"over": (), "metric": ("test_accuracy,nn-accuracy,spread-gap", "")},
)
_CROWDED = 0.06  # of the axis: values nearer to each other have ticks that overlap


class Curve(NamedTuple):
    """One line: positions (n,), means (n,), half widths (n,) and the values of all seeds at each position.
    A word has the position infinity."""

    label: str
    x: np.ndarray
    mean: np.ndarray
    half_width: np.ndarray
    seeds: Sequence[Sequence[float]]


def draw_figure(figure: Figure, runs: Sequence[RunView], *, over: str, metric: str) -> None:
    """One axes per metric; a line per combination of what else was swept."""
    (axis,) = axes_of(runs, over, 1)
    runs = with_setting(runs, [axis])
    metrics = metric.split(",")
    for name in metrics:
        check_measured(runs, name)
    titles = {run.title for run in runs}
    set_size(figure, 3.0 * len(metrics), 2.7 + 0.25 * (len(titles) == 1))
    if len(titles) == 1:  # else each line names its loss
        figure.suptitle(*titles, fontsize=rcParams["axes.titlesize"], fontweight="bold")
    for axes, name in zip(figure.subplots(1, len(metrics), squeeze=False)[0], metrics, strict=True):
        lines = [_curve(label, alike, axis, name) for label, alike in grouped(runs, [axis]).items()]
        draw_axes(
            axes,
            lines,
            xlabel=axis_title(axis, runs),
            ylabel=metric_title(name),
            limits=bounds(name),
            word=next((str(run.settings[axis]) for run in runs if isinstance(run.settings[axis], str)), ""),
        )
    several = any(np.isfinite(line.half_width).any() for line in lines)
    # the same in all axes, where long labels would hide the lines
    handles = figure.axes[0].get_lines() if len(lines) > 1 else []
    legend_below(
        figure, handles, "bands: 95 % intervals of the mean over seeds; small points: seeds" * several
    )


def _curve(label: str, runs: Sequence[RunView], axis: str, metric: str) -> Curve:
    values = sorted({run.settings[axis] for run in runs}, key=order)
    seeds = [
        [n for run in runs if run.settings[axis] == v and (n := number_of(run, metric)) is not None]
        for v in values
    ]
    intervals = [mean_interval(numbers) for numbers in seeds]
    return Curve(
        label,
        np.array([np.inf if isinstance(value, str) else value for value in values], dtype=float),
        np.array([interval.mean for interval in intervals]),
        np.array([interval.half_width for interval in intervals]),
        seeds,
    )


def draw_axes(
    axes: Axes,
    curves: Sequence[Curve],
    *,
    xlabel: str,
    ylabel: str,
    limits: tuple[float, float] = (-np.inf, np.inf),
    word: str = "",
) -> None:
    """Draw curves over one axis: logarithmic where the positions span two decades, zero then set apart.
    Bands are cut off at the limits of the metric; a position with one seed, which has no interval, ends them,
    and an interval between two such positions is a bar. A `word` stands a step beyond the numbers, and no
    line leads to it: a step is no distance there."""
    positions = np.unique(np.concatenate([curve.x for curve in curves]))
    place = _scale_x(axes, positions[np.isfinite(positions)], word)
    for number, curve in enumerate(_with_gap(curve, place) for curve in curves):
        tint = color(number)
        axes.plot(curve.x, curve.mean, color=tint, marker="o", markersize=4, label=curve.label, zorder=3)
        low, high = (np.clip(curve.mean + side * curve.half_width, *limits) for side in (-1, 1))
        known = np.isfinite(curve.half_width)
        style: Any = {"color": tint, "alpha": 0.18, "zorder": 1, "gid": "band"}
        axes.fill_between(curve.x, low, high, where=known, linewidth=0, **style)
        padded = np.pad(known, 1)
        alone = known & ~padded[:-2] & ~padded[2:]
        axes.vlines(curve.x[alone], low[alone], high[alone], linewidth=6, **style)
        for position, values in zip(curve.x, curve.seeds, strict=True):
            axes.scatter(
                [position] * len(values), values, s=9, color=tint, alpha=0.55, linewidths=0, zorder=2
            )
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel, wrap=True)
    axes.grid(axis="y", linewidth=0.4, alpha=0.5)
    axes.margins(x=0.04)
    _part_ticks(axes, bool(word))


def _part_ticks(axes: Axes, words: int) -> None:
    """Name every second value at the axis, or every third ..., where their names would overlap; always its
    last `words` names."""
    if not isinstance(axes.xaxis.get_major_locator(), FixedLocator):
        return
    places = axes.get_xticks()
    texts = [label.get_text() for label in axes.get_xticklabels()]
    halves = np.array([label.get_window_extent().width / 2 for label in axes.get_xticklabels()])
    middles = axes.transData.transform(np.stack([places, 0 * places], axis=1))[:, 0]
    numbers = len(places) - words
    for step in range(1, numbers + 1):
        kept = [*range(0, numbers, step), *range(numbers, len(places))]
        if (np.diff((middles - halves)[kept]) > 1.1 * 2 * halves[kept][:-1]).all():
            break
    axes.set_xticks(places[kept], [texts[n] for n in kept])


def _with_gap(curve: Curve, place: float) -> Curve:
    """The curve with its word, if it has one, at this place after a gap."""
    if not np.isinf(curve.x[-1:]).any():
        return curve
    seeds = [*curve.seeds[:-1], (), curve.seeds[-1]]
    mean, half_width = (np.insert(each, -1, np.nan) for each in (curve.mean, curve.half_width))
    return Curve(curve.label, np.append(curve.x[:-1], [np.nan, place]), mean, half_width, seeds)


def _scale_x(axes: Axes, numbers: np.ndarray, word: str) -> float:
    """Scale the axis for these positions, and mark them and the word; returns the place of the word."""
    positive, steps = numbers[numbers > 0], max(1, len(numbers) - 1)
    place = numbers[-1] + (float(np.ptp(numbers)) / steps or 1.0)
    ratio = positive[-1] / positive[0] if len(positive) >= 2 and numbers[0] >= 0 else 1.0
    crowded = len(numbers) > 1 and np.diff(numbers).min() < _CROWDED * np.ptp(numbers)
    is_log = ratio >= 100 or (ratio >= 10 and crowded)
    if is_log:
        place = numbers[-1] * (positive[-1] / positive[0]) ** (1 / (len(positive) - 1))
        if len(positive) < len(numbers):
            axes.set_xscale("symlog", linthresh=float(positive[0]), linscale=0.6)
        else:
            axes.set_xscale("log")
        axes.minorticks_off()
    if is_log or word or len(numbers) <= 9:
        words = {place: word} if word else {}
        axes.set_xticks([*numbers, *words], [*map(tick_text, numbers), *words.values()])
    return float(place)
