"""What happens during training, epoch by epoch: one small panel for each number that was written down.

A colour for each loss or setting: the line is the mean over seeds, the band reaches from the smallest to the
largest. (An interval of few seeds would be wider than all that is seen, and cross zero.)
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator

from ..errors import RunError
from ..records import EpochRecord, RunView
from ..specs import FigureSpec
from ._layout import grid_shape, set_size
from ._settings import grouped
from ._style import color, ink

SPEC = FigureSpec(
    title="training",
    summary="loss terms, validation accuracy, spread, gap and learning rate by epoch",
    default="seeds",
)
_NUMBERS: Mapping[str, Callable[[EpochRecord], float]] = {
    "validation accuracy (%)": lambda record: 100 * record.val_accuracy,
    "spread of a class": lambda record: record.spread,
    "gap between classes": lambda record: record.gap,
    "learning rate": lambda record: record.learning_rate,
}
_FIRST = "-"  # the first term of a sum
_LATER: Sequence[Any] = (
    "--",
    ":",
    "-.",
    (0, (5, 1.5, 1, 1.5, 1, 1.5)),
    (0, (9, 2)),
    (0, (1, 4)),
    (0, (9, 2, 2, 2)),
)  # and then a long dash with ever more dots
_DECADE = 10  # losses and distances that span more than this are drawn on a logarithmic axis
_LINEAR = ("validation accuracy (%)", "learning rate")
_WIDTH = 3  # panels of a row
_IN_PANEL = 8  # names that the panel that is not needed has room for
_WIDEST = 3.2  # inches of the longest of them
_IN_AXES = 4  # terms that the panel of losses has room for
_COLUMNS = 4  # of names above the panels, where they are short
_LINE, _LETTER = 0.5, 0.08  # inches of a line in the legend and of a letter of its name
_MARKED = 12  # epochs whose points do not yet hide the dashes of a line


class Course(NamedTuple):
    """One line: its term (empty for a number that has none), and a value for each seed and epoch (S, E)."""

    color: str
    dashes: Any
    term: str
    values: np.ndarray


def draw_figure(figure: Figure, runs: Sequence[RunView]) -> None:
    """A panel for each number that any of the runs has. Raises RunError for runs without any epoch."""
    groups = grouped(runs)
    if absent := [run.name for run in runs if not run.epochs]:
        raise RunError(f"{absent[0]} has no record of its epochs.")
    tints = [color(number) for number in range(len(groups))]
    losses = _losses(list(groups.values()), tints)
    panels = {"loss" if len(losses) == len(groups) else "loss terms, without their weights": losses}
    for title, number in _NUMBERS.items():
        colored = zip(tints, groups.values(), strict=True)
        courses = [Course(tint, "-", "", _table(alike, number)) for tint, alike in colored]
        if any(np.isfinite(course.values).any() for course in courses):
            panels[title] = courses
    height, width = grid_shape(len(panels), _WIDTH)
    named = zip(tints, _names(groups), strict=True)
    handles = [Line2D([], [], color=tint, label=name) for tint, name in named]
    if len(terms := _term_handles(losses)) > _IN_AXES:
        handles += terms
    column = _LINE + _LETTER * max(len(str(handle.get_label())) for handle in handles)
    short = len(handles) <= _IN_PANEL and column <= _WIDEST
    spare = height * width == len(panels) + 1 and short
    columns = int(np.clip(2.5 * width / column, 1, min(len(handles), _COLUMNS)))
    above = 0.1 if spare else 0.3 + 0.2 * math.ceil(len(handles) / columns)
    set_size(figure, 2.5 * width + 0.1, 1.9 * height + above)
    grid = _filled_grid(figure, len(panels) + spare, width)
    for axes, (title, courses) in zip(grid, panels.items(), strict=False):
        draw_axes(axes, courses, title=title, linear=title in _LINEAR)
    if spare:
        grid[-1].axis("off")
    seeds = sorted({len(alike) for alike in groups.values()})
    words = f"mean and range of {' or '.join(map(str, seeds))} seeds" if seeds[-1] > 1 else None
    style: Any = {"handles": handles, "title": words, "handlelength": 2 + 2 * (len(handles) > len(groups))}
    if spare:
        grid[-1].legend(loc="center left", alignment="left", **style)
    else:
        figure.legend(loc="outside upper center", ncols=columns, **style)


def _names(groups: Mapping[str, Sequence[RunView]]) -> list[str]:
    names = list(groups)
    if len(names) > 1:
        return names
    run = groups[names[0]][0]
    return [", ".join(filter(None, [run.title, run.subtitle]))]


def _filled_grid(figure: Figure, count: int, width: int) -> list[Axes]:
    """`count` axes in rows of `width`; those of the last row share all of its room."""
    lengths = [width] * ((count - 1) // width) + [(count - 1) % width + 1]
    cells = figure.add_gridspec(len(lengths), math.lcm(width, lengths[-1]))
    return [
        figure.add_subplot(cells[row, n * cells.ncols // length : (n + 1) * cells.ncols // length])
        for row, length in enumerate(lengths)
        for n in range(length)
    ]


def _losses(groups: Sequence[Sequence[RunView]], tints: Sequence[str]) -> list[Course]:
    """A line for each term of each group; later terms of one name have the same dashes, others other ones."""
    terms = [list(alike[0].epochs[0].terms) for alike in groups]
    later = list(dict.fromkeys(term for own in terms for term in own[1:]))
    return [
        Course(
            tint,
            _dashes(later.index(term)) if place else _FIRST,
            term,
            _table(alike, partial(_term, term)),
        )
        for tint, own, alike in zip(tints, terms, groups, strict=True)
        for place, term in enumerate(own)
    ]


def _dashes(number: int) -> Any:
    dots = number - len(_LATER) + 2
    return _LATER[number] if number < len(_LATER) else (0, (9, 2, *(1, 2) * dots))


def _term(name: str, record: EpochRecord) -> float:
    return record.terms[name]


def _table(runs: Sequence[RunView], number: Callable[[EpochRecord], float]) -> np.ndarray:
    """Numbers (S, E) of the seeds of one setting, NaN after a seed's last epoch."""
    table = np.full((len(runs), max(len(run.epochs) for run in runs)), np.nan)
    for row, run in zip(table, runs, strict=True):
        row[: len(run.epochs)] = [number(record) for record in run.epochs]
    return table


def draw_axes(axes: Axes, courses: Sequence[Course], *, title: str, linear: bool = False) -> None:
    """Draw lines over epochs 1, 2, ...; where all are the same, one in ink stands for all."""
    if len(courses) > 1 and all(_equal(courses[0].values, course.values) for course in courses[1:]):
        courses = [courses[0]._replace(color=ink())]
    for number, (tint, dashes, _, values) in enumerate(courses):
        epochs = np.flatnonzero(np.isfinite(values).any(axis=0))
        recorded = values[:, epochs]
        mean = np.nanmean(recorded, axis=0)
        marker = "o" if len(epochs) <= _MARKED else ""
        axes.plot(
            epochs + 1, mean, linestyle=dashes, color=tint, marker=marker, markersize=2.5, zorder=3,
            gid=f"course-{number}",
        )  # fmt: skip
        if len(values) > 1:
            low, high = np.nanmin(recorded, axis=0), np.nanmax(recorded, axis=0)
            axes.fill_between(
                epochs + 1, low, high, color=tint, alpha=0.2, linewidth=0, zorder=2, gid=f"range-{number}"
            )
    finite = np.concatenate([course.values[np.isfinite(course.values)] for course in courses])
    if not linear and finite.min() > 0 and finite.max() > _DECADE * finite.min():
        axes.set_yscale("log")
        few = finite.max() < _DECADE**2 * finite.min()
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
    axes.set_title(title, fontsize="medium", loc="left")
    axes.set_xlabel("epoch", fontsize="medium")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    axes.grid(axis="y", linewidth=0.4, alpha=0.5)
    if 0 < len(terms := _term_handles(courses)) <= _IN_AXES:
        axes.legend(handles=terms, fontsize="small", frameon=True, framealpha=0.7, edgecolor="none")


def _term_handles(courses: Sequence[Course]) -> list[Line2D]:
    """What the dashes mean, if there are any; a solid line has a name only where it is the same term
    everywhere."""
    kinds = dict.fromkeys((course.term, course.dashes) for course in courses)
    first = {kind for kind in kinds if kind[1] == _FIRST}
    named = [kind for kind in kinds if kind not in first or len(first) == 1] if first < kinds.keys() else []
    return [Line2D([], [], color=ink(), linestyle=dashes, label=term) for term, dashes in named]


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape[1] == b.shape[1] and bool((a[:1] == a).all() and (b == a[:1]).all())
