"""From stored runs to figure files: one way for every figure, one file written whole or not at all."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..errors import RunError, UsageError
from ..experiments.comparison import Contest, contests, labels
from ..experiments.tuning_result import TuningResult
from ..figures import STYLES, budget, critical_difference, forest
from ..files import write_atomically
from ..protocols import RunView
from ..runs.config import BASE_LOSS
from ..runs.outcome import Outcome
from ..runs.store import RunFolder
from ..runs.stored_run import StoredRun
from ..specs import FigureSpec, Value, catalog
from ..specs.quantities import higher_is_better, in_unit, is_percent, metric_name, parse_metrics
from ..statistics import indistinguishable_groups, mean_ranks

FORMATS = ("png", "pdf", "svg")
_DPI = 200
_GALLERY_DPI = 120  # of more than twenty panels: a few hundred kilobytes, and still sharp at page width


def draw(
    name: str, runs: Sequence[StoredRun], path: Path, *, style: str = "paper", **given: str | None
) -> Path:
    """The figure of this name, drawn from stored runs. Returns the path written.

    `given` are its choices; None is its default. Raises UsageError for a choice that the figure does not
    have or a value it does not know, RunError for runs that lack what it shows.
    """
    spec: FigureSpec = catalog.spec("figures", name)
    choices = _choices(name, spec, given)
    if spec.drawn_from == "comparison":
        contest = _contest(runs, choices["metric"])
        return draw_forest(contest, path, runs=[run.folder for run in runs], style=style)
    if spec.drawn_from != "runs":
        raise UsageError(f"`{name}` is drawn from {spec.drawn_from}, by the command that makes them.")
    compose = catalog.load("figures", name)
    return _write(lambda figure: compose(figure, runs, **choices), path, runs, style)


def draw_features(runs: Sequence[RunFolder], path: Path) -> Path:
    """The panel figure: one column per run, train above test."""
    return draw("features", [StoredRun(run) for run in runs], path)


def draw_grid(runs: Sequence[RunFolder], path: Path) -> Path:
    """Test features as small multiples, in the given order."""
    return draw("lambda-grid", [StoredRun(run) for run in runs], path)


def draw_curves(runs: Sequence[RunFolder], axis: str, path: Path) -> Path:
    """Numbers against one swept setting; a line per other setting."""
    return draw("curves", [StoredRun(run) for run in runs], path, over=axis)


def draw_forest(contest: Contest, path: Path, *, runs: Sequence[RunFolder], style: str = "paper") -> Path:
    """Every loss's paired differences to the baseline, all seeds drawn."""
    rows = []
    names = labels([contest.baseline, *(entry.config for entry in contest.entries)])
    for label, entry in zip(names[1:], contest.entries, strict=True):
        found = entry.comparison
        mean, half = (in_unit(contest.metric, number) for number in found.difference[:2])
        rows.append(
            forest.Row(
                label=label,
                differences=np.array([in_unit(contest.metric, number) for number in found.differences]),
                mean=mean,
                low=mean - half,
                high=mean + half,
                verdict=entry.verdict,
                note=entry.missing,
            )
        )
    unit = metric_name(contest.metric) + (" (percentage points)" if is_percent(contest.metric) else "")

    def paint(figure: Figure) -> None:
        forest.compose(figure, rows, baseline=names[0], unit=unit)

    return _write(paint, path, [StoredRun(run) for run in runs], style)


def draw_ranks(
    names: Sequence[str], scores: np.ndarray, path: Path, *, metric: str, runs: Sequence[RunFolder]
) -> Path:
    """Mean ranks of the losses over several data sets, scores (data sets, losses), with what ties them."""
    better = higher_is_better(metric) is not False
    ranks = mean_ranks(scores, higher_is_better=better)
    groups = indistinguishable_groups(scores, higher_is_better=better)

    xlabel = f"mean rank by {metric_name(metric)} over {len(scores)} data sets (1 is best)"

    def paint(figure: Figure) -> None:
        critical_difference.compose(figure, names, ranks, groups, xlabel=xlabel)

    return _write(paint, path, [StoredRun(run) for run in runs])


def draw_budget(results: Sequence[TuningResult], path: Path) -> Path:
    """Best value against number of trials, of several losses that were tuned for one metric."""
    metric = results[0].metric
    factor = in_unit(metric, 1.0)
    lines = []
    for result in results:
        values, best = (factor * np.array(v, dtype=float) for v in (result.values, result.curve))
        lines.append(budget.Line(result.config.title, values, best))
    name = "validation accuracy" if metric == "val_accuracy" else f"{metric.replace('_', ' ')} on validation"
    ylabel, better = f"{name} (%)" if is_percent(metric) else name, higher_is_better(metric) is not False

    def paint(figure: Figure) -> None:
        budget.compose(figure, lines, ylabel=ylabel, higher_is_better=better)

    return _write(paint, path, ())


def check_choice(option: str, value: str, allowed: Sequence[str]) -> str:
    """`value` if it is allowed. Raises UsageError."""
    if value not in allowed:
        raise UsageError(f"{option} {value} is none of {', '.join(allowed)}.")
    return value


def painted(paint: Callable[[Figure], None], style: str = "paper") -> Figure:
    """A figure on a canvas of its own, painted with the settings of a style."""
    # compressed: it knows that axes of equal scale shrink, and keeps their titles inside
    figure = Figure(dpi=_DPI, layout="compressed")
    FigureCanvasAgg(figure)
    with mpl.rc_context(STYLES[check_choice("--style", style, tuple(STYLES))]):
        figure.set_facecolor(mpl.rcParams["figure.facecolor"])
        paint(figure)
    return figure


def _choices(name: str, spec: FigureSpec, given: Mapping[str, str | None]) -> dict[str, str]:
    chosen = {option: (allowed or ("",))[0] for option, allowed in spec.choices.items()}
    for option, value in given.items():
        if value is None:
            continue
        if option not in spec.choices:
            known = ", ".join(f"--{choice}" for choice in spec.choices) or "none"
            raise UsageError(f"--{option} means nothing to `{name}`; its own options are: {known}.")
        allowed = spec.choices[option]
        free = not allowed or "" in allowed
        chosen[option] = value if free else check_choice(f"--{option}", value, allowed)
    if chosen.get("metric"):
        parse_metrics(chosen["metric"], unseen=True)
    return chosen


def _contest(runs: Sequence[StoredRun], metric: str) -> Contest:
    groups: dict[str, list[Outcome]] = {}
    for run in runs:
        groups.setdefault(str(dataclasses.replace(run.config, seed=0)), []).append(run.outcome)
    names = {own[0].config.loss: name for name, own in groups.items()}
    if len(groups) < 2:
        raise RunError(
            "A comparison needs runs of at least two losses or settings; `lossbench compare` makes them."
        )
    base = names.get(BASE_LOSS, next(iter(groups)))
    found = contests(groups, base, [metric], [runs[0].config.dataset])
    if not found:
        raise UsageError(f"--metric {metric} has no better side, so nothing can be better by it.")
    return found[0]


def _write(
    paint: Callable[[Figure], None], path: Path, runs: Sequence[RunView], style: str = "paper"
) -> Path:
    form = check_choice("--format", path.suffix.lstrip("."), FORMATS)
    content = io.BytesIO()
    figure = painted(paint, style)
    dpi = _DPI if len(figure.axes) <= 20 else _GALLERY_DPI
    with mpl.rc_context(STYLES[style]):
        figure.savefig(content, format=form, dpi=dpi, metadata=_metadata(form, runs))
    write_atomically(path, content.getvalue())
    return path


def _metadata(form: str, runs: Sequence[RunView]) -> dict[str, Any]:
    """What the figure shows, inside the file; no date, so that the same runs give the same bytes."""
    text = "; ".join(map(described, runs))
    known: dict[str, dict[str, Any]] = {
        "png": {"Description": text, "Software": "lossbench"},
        "pdf": {"Subject": text, "Creator": "lossbench", "CreationDate": None},
        "svg": {"Description": text, "Creator": "lossbench", "Date": None},
    }
    return known[form]


def described(run: RunView) -> str:
    """What a run is, for the metadata of a file: its name, loss, seed, settings and accuracy."""
    settings: dict[str, Value | float] = {"seed": run.seed, **run.settings}
    settings |= {name: value for name, value in run.numbers.items() if is_percent(name)}
    return f"{run.name}: {run.title}, {', '.join(f'{name} {value}' for name, value in settings.items())}"
