"""Figures as files: one way for every kind, one file written whole or not at all."""

import dataclasses
import inspect
import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..errors import RunError, UsageError
from ..experiments.comparison import ComparisonRow, compare_losses
from ..experiments.tuning_result import TuningResult
from ..figures import STYLES, budget, check_measured, critical_difference, forest
from ..records import RunView
from ..runs.config import BASE_LOSS
from ..runs.selection import swept_names
from ..runs.stored_run import StoredRun
from ..specs import FigureSpec, Value, catalog
from ..specs.quantities import (
    bounds,
    format_value,
    higher_is_better,
    in_unit,
    is_percent,
    metric_name,
    parse_metrics,
)
from ..statistics import indistinguishable_groups, mean_ranks
from ..tables import distinct
from .generated_files import check_generated, write_generated

FORMATS = ("png", "pdf", "svg")
Compose = Callable[[Figure], None]
"""Sets the size of an empty figure and draws on it."""

_DPI = 200
_SCREEN_DPI = 90  # in a notebook
_EDGE = 0.04  # inches around what is drawn; the layout itself leaves a little more
_SPARE = 0.1  # inches above all panels that a page may keep
_GALLERY = 20  # panels: with more a figure is a gallery
_GALLERY_DPI = 120  # sharp at page width
_GALLERY_COLORS = 256  # a third of the bytes that all shades of half a million points take


def draw(
    name: str, runs: Sequence[StoredRun], path: Path, *, style: str = "paper", **choices: str | None
) -> Path:
    """Write the figure of this name, drawn from stored runs. Returns the path. Raises what `compose_figure`
    raises."""
    return write_figure(compose_figure(name, runs, **choices), path, runs, style)


def compose_figure(name: str, runs: Sequence[StoredRun], **choices: str | None) -> Compose:
    """What draws the figure of this name from stored runs.

    `choices` are those of its SPEC; None is the default. Raises UsageError for a choice that the figure does
    not have or a value it does not know, RunError for runs that lack what it shows.
    """
    spec: FigureSpec = catalog.spec("figures", name)
    checked = _check_choices(name, spec, choices)
    if spec.drawn_from == "comparison":
        return compose_forest(_compare(runs, checked["metric"]))
    if spec.drawn_from != "runs":
        raise UsageError(f"`{name}` is drawn from {spec.drawn_from}, by the command that makes them.")
    function = catalog.load("figures", name)
    return lambda figure: function(figure, runs, **checked)


def figure_data(name: str, runs: Sequence[StoredRun], **choices: str | None) -> Sequence[Mapping[str, Any]]:
    """The numbers behind a figure of this name, where its file has a function `data` beside `draw_figure`."""
    checked = _check_choices(name, catalog.spec("figures", name), choices)
    function = getattr(inspect.getmodule(catalog.load("figures", name)), "data", None)
    return function(runs, **checked) if function else []


def compose_forest(rows: Sequence[ComparisonRow]) -> Compose:
    """The paired differences of rows of one metric and data set, all seeds drawn."""
    metric = rows[0].metric
    limits = bounds(metric, signed=True)
    lines = []
    for row in rows:
        mean, half_width = (in_unit(metric, number) for number in row.paired.difference[:2])
        lines.append(
            forest.Row(
                label=row.label,
                differences=np.array([in_unit(metric, number) for number in row.paired.differences]),
                mean=mean,
                low=max(mean - half_width, limits[0]),
                high=min(mean + half_width, limits[1]),
                verdict=row.verdict,
                note=row.missing,
                number=format_value(metric, *row.paired.difference[:2], signed=True),
            )
        )
    unit = metric_name(metric) + (" (percentage points)" if is_percent(metric) else "")
    return partial(forest.draw_figure, rows=lines, baseline=rows[0].baseline_label, unit=unit)


def compose_ranks(labels: Sequence[str], scores: np.ndarray, metric: str, sets: str = "data sets") -> Compose:
    """Mean ranks of losses over data sets by scores (data sets, losses), joined where no pair differs."""
    better = higher_is_better(metric) is not False
    return partial(
        critical_difference.draw_figure,
        names=labels,
        ranks=mean_ranks(scores, higher_is_better=better),
        groups=indistinguishable_groups(scores, higher_is_better=better),
        xlabel=f"mean rank by {metric_name(metric)} over {len(scores)} {sets} (1 is best)",
    )


def compose_budget(results: Sequence[TuningResult]) -> Compose:
    """Best value against number of trials, of several losses that were tuned for one metric."""
    metric = results[0].metric
    factor = in_unit(metric, 1.0)
    lines = []
    labels = distinct([result.config.title for result in results], [result.loss for result in results])
    for label, result in zip(labels, results, strict=True):
        values, best = (factor * np.array(v, dtype=float) for v in (result.values, result.curve))
        lines.append(budget.Line(label, values, best))
    name = "validation accuracy" if metric == "val_accuracy" else f"{metric_name(metric)} on validation"
    ylabel = f"{name} (%)" if is_percent(metric) else name
    better = higher_is_better(metric) is not False
    return partial(budget.draw_figure, lines=lines, ylabel=ylabel, higher_is_better=better)


def write_figure(
    compose: Compose, path: Path, runs: Sequence[RunView] = (), style: str = "paper", shows: str = ""
) -> Path:
    """Write a figure in the format of the path's suffix; `runs`, or what it `shows`, are in its metadata.

    Returns the path. Raises UsageError for an unknown format or style.
    """
    form = format_of(path, FORMATS)
    check_generated(path)  # before the time that drawing takes
    content = io.BytesIO()
    figure = render_figure(compose, style)
    gallery = len(figure.axes) > _GALLERY
    metadata = _metadata(form, shows or "; ".join(map(describe, runs)))
    with _style(style):
        figure.set_layout_engine(None)  # it is laid out already
        figure.savefig(content, format=form, dpi=_GALLERY_DPI if gallery else _DPI, metadata=metadata)
    write_generated(path, _with_palette(content) if gallery and form == "png" else content.getvalue())
    return path


def _with_palette(content: io.BytesIO) -> bytes:
    """The same PNG with few colours, metadata included."""
    with Image.open(content) as image:
        kept = PngInfo()
        for key, value in image.text.items():  # type: ignore[attr-defined]
            kept.add_text(key, value)
        small = image.convert("RGB").quantize(_GALLERY_COLORS)
        written = io.BytesIO()
        small.save(written, "PNG", dpi=image.info["dpi"], pnginfo=kept)
    return written.getvalue()


def render_figure(compose: Compose, style: str = "paper") -> Figure:
    """A figure on a canvas of its own, drawn with the settings of a style."""
    with _style(style):
        # compressed: it knows that axes of equal scale shrink, and keeps their titles inside
        figure = _NotebookFigure(dpi=_DPI, layout="compressed")
        figure.style = style
        FigureCanvasAgg(figure)
        figure.set_facecolor(mpl.rcParams["figure.facecolor"])
        compose(figure)
        _fit_page(figure)
    return figure


def _fit_page(figure: Figure) -> None:
    """Enlarge a figure until its page holds all of it: the layout cuts legends and titles that lack room.
    Lower one whose panels, as wide as they can be, leave room above and below them."""
    for _ in range(3):
        figure.draw_without_rendering()
        size, (low, high) = figure.get_size_inches(), figure.get_tightbbox().get_points()
        beyond = high - (size - _EDGE)
        outside = np.maximum(_EDGE - low, beyond).clip(0)
        if -beyond[1] > _SPARE:
            outside[1] = beyond[1]
        if (np.abs(outside) < 0.01).all():
            return
        figure.set_size_inches(size + 2 * outside)  # the layout centers what it draws
    figure.draw_without_rendering()


class _NotebookFigure(Figure):
    """A figure that notebooks show, also those that have not loaded Matplotlib's support for them."""

    style = "paper"

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        with _style(self.style):
            self.savefig(content, format="png", dpi=_SCREEN_DPI)
        return content.getvalue()


def render_pixels(compose: Compose, style: str = "paper") -> np.ndarray:
    """A figure as colours (height, width, 4) uint8, the last one opacity."""
    figure = render_figure(compose, style)
    canvas: Any = FigureCanvasAgg(figure)  # Any: its stubs lack types
    with _style(style):
        figure.set_layout_engine(None)
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def _style(style: str) -> AbstractContextManager[None]:
    """Matplotlib's own defaults with the settings of a style, whatever the user's matplotlibrc says."""
    settings = STYLES[check_choice("--style", style, tuple(STYLES))]
    defaults: Any = {name: value for name, value in mpl.rcParamsDefault.items() if name != "backend"}
    return mpl.rc_context({**defaults, **settings})


def format_of(path: Path, formats: Sequence[str]) -> str:
    """The format that the name of a file says. Raises UsageError for none or another."""
    if not path.suffix:
        raise UsageError(f"--output {path}: the file name must end in .{' or .'.join(formats)}.")
    return check_choice("--format", path.suffix.lstrip("."), formats)


def check_choice(option: str, value: str, allowed: Sequence[str]) -> str:
    """`value` if it is allowed. Raises UsageError."""
    if value not in allowed:
        raise UsageError(f"{option} {value} is not one of {', '.join(allowed)}.")
    return value


def describe(run: RunView) -> str:
    """What a run is, for the metadata of a file: its name, loss, seed, settings and accuracy."""
    settings: dict[str, Value | float] = {"seed": run.seed, **run.settings}
    settings |= {name: value for name, value in run.numbers.items() if is_percent(name)}
    return f"{run.name}: {run.title}, {', '.join(f'{name} {value}' for name, value in settings.items())}"


def check_texts(choices: Mapping[str, object]) -> None:
    """Raises UsageError for a choice of a figure that is no text, which only Python can give."""
    for option, value in choices.items():
        if value is not None and not isinstance(value, str):
            raise UsageError(f"--{option} takes a text, not {type(value).__name__}.")


def _check_choices(name: str, spec: FigureSpec, choices: Mapping[str, str | None]) -> dict[str, str]:
    checked = {option: (allowed or ("",))[0] for option, allowed in spec.choices.items()}
    for option, value in choices.items():
        if value is None:
            continue
        if option not in spec.choices:
            known = ", ".join(f"--{choice}" for choice in spec.choices) or "none"
            raise UsageError(f"`{name}` has no option --{option}; its own options are: {known}.")
        allowed = spec.choices[option]
        any_value = not allowed or "" in allowed
        checked[option] = value if any_value else check_choice(f"--{option}", value, allowed)
    if "over" in checked:
        checked["over"] = ",".join(swept_names(checked["over"]))
    if checked.get("metric"):
        checked["metric"] = ",".join(parse_metrics(checked["metric"], unseen=True))
    return checked


def _compare(runs: Sequence[StoredRun], metric: str) -> list[ComparisonRow]:
    groups: dict[str, list[StoredRun]] = {}
    if len(datasets := {run.config.dataset for run in runs}) > 1:
        raise RunError(f"A paired comparison is of one data set; these runs are of {', '.join(datasets)}.")
    for run in runs:
        groups.setdefault(str(dataclasses.replace(run.config, seed=0)), []).append(run)
    if len(groups) < 2:
        raise RunError(
            "A comparison needs runs of at least two losses or settings; `lossbench compare` makes them."
        )
    check_measured(runs, metric)
    names = {group[0].config.loss: name for name, group in reversed(groups.items())}
    baseline = names.get(BASE_LOSS, next(iter(groups)))
    outcomes = {name: [run.outcome for run in group] for name, group in groups.items()}
    rows = compare_losses(outcomes, baseline, [metric], [runs[0].config.dataset])
    if not rows:
        raise UsageError(f"--metric {metric} cannot rank losses: neither higher nor lower values are better.")
    conditions = {name: group[0].conditions for name, group in groups.items()}
    base = conditions.pop(baseline)
    return [
        row._replace(
            label=", ".join(filter(None, [row.label, condition])),
            baseline_label=", ".join(filter(None, [row.baseline_label, base])),
        )
        for row, condition in zip(rows, conditions.values(), strict=True)
    ]


def _metadata(form: str, text: str) -> dict[str, Any]:
    """What the figure shows, inside the file; no date, so that the same runs give the same bytes."""
    by_format: dict[str, dict[str, Any]] = {
        "png": {"Description": text, "Software": "lossbench"},
        "pdf": {"Subject": text, "Creator": "lossbench", "CreationDate": None},
        "svg": {"Description": text, "Creator": "lossbench", "Date": None},
    }
    return by_format[form]
