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
from .config import RunConfig, dataset_spec
from .contracts import Value
from .errors import RunError, UsageError
from .figures import _style, curves, features
from .records import Embedding, Panel
from .statistics import mean_interval
from .store import RunFolder, write_atomically

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
    accuracy = f"{100 * result['test_accuracy']:.2f} % test"
    subtitle = f"{config.subtitle} · {accuracy}" if config.subtitle else accuracy
    names = dataset_spec(config.dataset).classes
    return Panel(config.title + note, subtitle, splits, names, _shaped(weight), _shaped(centers), run.name)


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
        found = [r[metric] if metric in r else r["metrics"].get(metric) for r in own]
        seeds.append([percent * number for number in found if number is not None])
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


def _shaped(directions: np.ndarray | None) -> np.ndarray | None:
    """Directions of shape (C, 2), None for anything that the plane cannot show as one ray per class."""
    return directions if directions is not None and directions.ndim == 2 else None


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
