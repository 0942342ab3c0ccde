"""From stored runs to figure files: loads arrays, lays panels out, writes one file atomically."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from . import catalog
from .comparing import Contest, higher_is_better, labels, metric_name
from .config import RunConfig, dataset_spec
from .contracts import Value
from .errors import RunError, UsageError
from .figures import _style, budget, critical_difference, curves, features, forest
from .files import write_atomically
from .records import Embedding, Panel
from .resolving import config_from_dict
from .statistics import indistinguishable_groups, mean_interval, mean_ranks
from .store import RunFolder
from .sweeping import numbers_of

FORMATS = ("png", "pdf", "svg")
VIEWS = ("raw", "normalized")
SPLITS = ("train", "test", "both")
_DPI = 200
_GALLERY_DPI = 120  # of more than twenty panels: a few hundred kilobytes, and still sharp at page width
_PANEL = 2.0  # inches: three panels shrunk to 400 px still have readable digits
CURVE_METRICS = ("test_accuracy", "nn-accuracy", "spread-gap")


def load_panel(run: RunFolder) -> Panel:
    """What figures need of a finished run. Raises RunError for a run without stored features."""
    result = run.result()
    if result is None or result["status"] != "done":
        raise RunError(f"{run.name} has no features to draw: it is not complete.")
    splits, directions = run.features()
    weight, centers = directions.get("weight"), directions.get("centers")
    config = run.config
    note = ""
    if config.feature_dim != 2:
        splits, note = (
            _to_plane(splits),
            f" (PCA of {config.feature_dim}-D)" if config.feature_dim > 2 else "",
        )
        weight = centers = None
    lines = [config.subtitle, f"unseen {config.unseen_names}" if config.unseen else ""]
    lines.append(f"{100 * result['test_accuracy']:.2f} % test")
    number = np.array(config.labels)  # a class has its own colour, whichever others were kept out
    return Panel(
        config.title + note,
        " · ".join(filter(None, lines)),
        {name: e._replace(labels=number[e.labels]) for name, e in splits.items()},
        dataset_spec(config.dataset).classes,
        _in_place(weight, number),
        _in_place(centers, number),
        run.name,
    )


def draw_features(runs: Sequence[RunFolder], path: Path, *, split: str = "both", view: str = "raw") -> Path:
    """The panel figure: one column per run, train above test. Returns the path written."""
    panels = [load_panel(run) for run in runs]
    rows = ("train", "test") if split == "both" else (split,)
    most = max(len(panel.subtitle.split(" · ")) for panel in panels)

    def paint(figure: Figure) -> None:
        grid = figure.subplots(len(rows), len(panels), squeeze=False)
        for column, panel in enumerate(panels):
            for row, name in enumerate(rows):
                axes = grid[row][column]
                features.draw(axes, panel, name, view=view)
                if row == 0:
                    lines = panel.subtitle.split(" · ")
                    axes.set_title(panel.title, fontweight="bold", pad=4 + 12 * most)
                    for height, line in enumerate(reversed(lines)):
                        axes.annotate(
                            line,
                            (0.5, 1),
                            (0, 4 + 12 * height),
                            xycoords="axes fraction",
                            textcoords="offset points",
                            ha="center",
                            fontsize=9,
                        )
                if column == 0:
                    axes.set_ylabel(f"{name} features")

    return _write(paint, (_PANEL * len(panels) + 0.4, _PANEL * len(rows) + 0.7), path, runs)


def draw_grid(runs: Sequence[RunFolder], path: Path, *, split: str = "test") -> Path:
    """Small multiples of stored runs in the given order (Wen et al. 2016, Fig. 3)."""
    panels = [load_panel(run) for run in runs]
    several = len({panel.title for panel in panels}) > 1
    height = math.ceil(len(panels) / (5 if len(panels) <= 20 else 6))
    width = math.ceil(len(panels) / height)  # rows of nearly equal length

    def paint(figure: Figure) -> None:
        grid = figure.subplots(height, width, squeeze=False)
        for number, axes in enumerate(grid.flat):
            if number >= len(panels):
                axes.set_visible(False)
                continue
            features.draw(axes, panels[number], split)
            above = [panels[number].title] if several else []
            axes.set_title("\n".join([*above, *panels[number].subtitle.split(" · ")]), fontsize=9)

    size = (_PANEL * width + 0.2, (_PANEL + 0.25) * height + 0.1)
    return _write(paint, size, path, runs, dpi=_DPI if len(panels) <= 20 else _GALLERY_DPI)


def draw_curves(
    results: Mapping[RunConfig, Mapping[str, Any]],
    axis: str,
    values: Sequence[Value],
    path: Path,
    *,
    runs: Sequence[RunFolder],
) -> Path:
    """Accuracy, 1-NN accuracy and spread/gap against one swept setting; a line per other setting."""
    titles = {"test_accuracy": "test accuracy (%)"} | {
        name: catalog.spec("metrics", name).title for name in CURVE_METRICS[1:]
    }
    titles["nn-accuracy"] += " (%)"
    groups = _lines(results, axis)
    symbol = {"lambda": "λ", "alpha": "α", "margin": "margin m (rad)", "scale": "scale s"}.get(axis, axis)

    def paint(figure: Figure) -> None:
        for axes, metric in zip(figure.subplots(1, len(CURVE_METRICS)), CURVE_METRICS, strict=True):
            lines = [_curve(label, members, axis, values, metric) for label, members in groups.items()]
            curves.draw(axes, lines, xlabel=symbol, ylabel=titles[metric])

    return _write(paint, (9.0, 2.7), path, runs)


def draw_forest(contest: Contest, path: Path, *, runs: Sequence[RunFolder]) -> Path:
    """Every loss's paired differences to the baseline, all seeds drawn."""
    percent = 100 if "accuracy" in contest.metric else 1
    rows = []
    names = labels([contest.baseline, *(entry.config for entry in contest.entries)])
    for label, entry in zip(names[1:], contest.entries, strict=True):
        found = entry.comparison
        mean, half = percent * found.difference.mean, percent * found.difference.half_width
        rows.append(
            forest.Row(
                label=label,
                differences=percent * np.array(found.differences),
                mean=mean,
                low=mean - half,
                high=mean + half,
                verdict=entry.verdict,
                note=entry.missing,
            )
        )
    unit = metric_name(contest.metric) + (" (percentage points)" if percent == 100 else "")

    def paint(figure: Figure) -> None:
        forest.draw(figure.subplots(), rows, baseline=names[0], unit=unit)

    return _write(paint, (6.5, 0.32 * len(rows) + 1.2), path, runs)


def draw_ranks(
    names: Sequence[str], scores: np.ndarray, path: Path, *, metric: str, runs: Sequence[RunFolder]
) -> Path:
    """Mean ranks of the losses over several data sets, scores (data sets, losses), with what ties them."""
    better = higher_is_better(metric) is not False
    ranks = mean_ranks(scores, higher_is_better=better)
    groups = indistinguishable_groups(scores, higher_is_better=better)

    xlabel = f"mean rank by {metric_name(metric)} over {len(scores)} data sets (1 is best)"

    def paint(figure: Figure) -> None:
        critical_difference.draw(axes := figure.subplots(), names, ranks, groups, xlabel=xlabel)
        if len(names) > 15:  # more numbers than there is room for
            axes.set_xticks([1, *range(5, len(names) + 1, 5)])

    return _write(paint, (6.5, 1.1 + 0.3 * ((len(names) + 1) // 2)), path, runs)


def draw_budget(searches: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """Best value against trials of several searches, as `tuning` stores them."""
    metric = searches[0]["metric"]
    percent = 100 if "accuracy" in metric else 1
    lines = []
    for search in searches:
        values, best = (np.array(search[key], dtype=float) * percent for key in ("values", "curve"))
        lines.append(budget.Line(config_from_dict(search["config"]).title, values, best))
    name = "validation accuracy" if metric == "val_accuracy" else f"{metric.replace('_', ' ')} on validation"
    ylabel, better = f"{name} (%)" if percent == 100 else name, higher_is_better(metric) is not False

    def paint(figure: Figure) -> None:
        budget.draw(figure.subplots(), lines, ylabel=ylabel, higher_is_better=better)

    return _write(paint, (6.5, max(3.2, 0.6 + 0.18 * len(lines))), path, ())


def check_choice(option: str, value: str, allowed: Sequence[str]) -> str:
    """`value` if it is allowed. Raises UsageError."""
    if value not in allowed:
        raise UsageError(f"{option} {value} is none of {', '.join(allowed)}.")
    return value


def _curve(
    label: str,
    members: Sequence[tuple[RunConfig, Mapping[str, Any]]],
    axis: str,
    values: Sequence[Value],
    metric: str,
) -> curves.Curve:
    percent = 100 if "accuracy" in metric else 1
    seeds = []
    for value in values:
        own = [result for config, result in members if config.value_of(axis) == value]
        seeds.append([percent * r[metric] for r in map(numbers_of, own) if metric in r])
    intervals = [mean_interval(numbers) for numbers in seeds]
    return curves.Curve(
        label,
        np.array([float(value) for value in values]),
        np.array([interval.mean for interval in intervals]),
        np.array([interval.half_width for interval in intervals]),
        seeds,
    )


def _lines(
    results: Mapping[RunConfig, Mapping[str, Any]], axis: str
) -> dict[str, list[tuple[RunConfig, Mapping[str, Any]]]]:
    """Results by what else was swept: everything but `axis` and the seed, as a legend entry."""
    groups: dict[str, list[tuple[RunConfig, Mapping[str, Any]]]] = {}
    symbol = {"lambda": "λ", "alpha": "α", "margin": "m", "scale": "s"}.get(axis, axis)
    for config, result in results.items():
        others = [part for part in config.subtitle.split(", ") if not part.startswith(f"{symbol} =")]
        groups.setdefault(", ".join(others), []).append((config, result))
    return groups


def _in_place(directions: np.ndarray | None, labels: np.ndarray) -> np.ndarray | None:
    """Directions (C, 2) at the rows of their labels, NaN for classes that have none; None for anything
    that the plane cannot show as one ray per class."""
    if directions is None or directions.ndim != 2 or len(directions) > len(labels):
        return None
    placed = np.full((len(labels), directions.shape[1]), np.nan)
    placed[labels[: len(directions)]] = directions
    return placed


def _to_plane(splits: Mapping[str, Embedding]) -> dict[str, Embedding]:
    """Other dimensions as two: D = 1 gains a random height, D > 2 the first two principal components."""
    train = splits["train"].features
    mean = train.mean(axis=0)
    if train.shape[1] > 2:
        basis = np.linalg.svd(np.cov((train - mean).T))[0][:, :2]
        return {name: e._replace(features=(e.features - mean) @ basis) for name, e in splits.items()}
    height = 0.3 * np.abs(train).max()
    random = np.random.RandomState(0)
    return {
        name: e._replace(
            features=np.column_stack([e.features[:, 0], height * random.uniform(-1, 1, len(e.features))])
        )
        for name, e in splits.items()
    }


def _write(
    paint: Callable[[Figure], None],
    size: tuple[float, float],
    path: Path,
    runs: Sequence[RunFolder],
    dpi: int = _DPI,
) -> Path:
    form = check_choice("--format", path.suffix.lstrip("."), FORMATS)
    with mpl.rc_context(_style.RC):
        figure = Figure(figsize=size, dpi=dpi, layout="constrained")
        FigureCanvasAgg(figure)
        paint(figure)
        content = io.BytesIO()
        figure.savefig(content, format=form, dpi=dpi, metadata=_metadata(form, runs))
    write_atomically(path, content.getvalue())
    return path


def _metadata(form: str, runs: Sequence[RunFolder]) -> dict[str, Any]:
    """What the figure shows, inside the file; no date, so that the same runs give the same bytes."""
    text = "; ".join(f"{run.name}: {run.config.to_dict()}" for run in runs)
    known: dict[str, dict[str, Any]] = {
        "png": {"Description": text, "Software": "lossbench"},
        "pdf": {"Subject": text, "Creator": "lossbench", "CreationDate": None},
        "svg": {"Description": text, "Creator": "lossbench", "Date": None},
    }
    return known[form]
