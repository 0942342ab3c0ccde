"""Angles of features to the direction of their own class, and to the nearest other one.

A class's direction is its weight, or the mean direction of its features where the loss has no weights.
Below, where features were kept during training, the mean of both angles by epoch.
"""

from collections.abc import Sequence
from typing import Any

import matplotlib.patheffects as effects
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..metrics import angles, unit
from ..records import RunView, Snapshots
from ..specs import FigureSpec
from ._layout import caption_lines, grid_shape, legend_below, run_columns, set_size, title_lines
from ._requirements import mean_directions, split_of
from ._style import PALETTE, ground, ink, note

SPEC = FigureSpec(
    title="angles",
    summary="angles to the own class and to the nearest other one, and their course in training",
    after="Deng et al. 2019, Tab. 3 and Fig. 4a",
    choices={"split": ("test", "train")},
)
KINDS = ("own class", "nearest other class")
_TINTS = (PALETTE[0], PALETTE[6])
_WIDTH, _HEIGHT = 2.5, 1.9  # inches of one axes
_BINS = 90
_WITHOUT_SNAPSHOTS = "no snapshots of this run:\ntrain it with --snapshots 30\nto see its course here"


def angles_of(features: np.ndarray, labels: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Degrees (2, N) from features (N, D) to their own class's direction and to the nearest other one.

    `directions` (C, D) of any length; rows of NaN belong to classes that have none.
    """
    vectors = unit(features.astype(np.float64))
    to_class = np.full((len(directions), len(labels)), np.inf)
    for label, direction in enumerate(directions):
        if np.isfinite(direction).all():
            to_class[label] = angles(vectors, unit(direction[None].astype(np.float64))[0])
    samples = np.arange(len(labels))
    to_own = to_class[labels, samples]
    to_class[labels, samples] = np.inf
    return np.stack([to_own, to_class.min(axis=0)])


def draw_axes(axes: Axes, pair: np.ndarray, bins: np.ndarray) -> None:
    """Histograms of the angles (2, N) in percent of the features, both means marked."""
    for kind, tint, values, height in zip(KINDS, _TINTS, pair, (0.97, 0.85), strict=True):
        weights = np.full(len(values), 100 / len(values))
        style: Any = {"bins": bins, "weights": weights, "color": tint}
        axes.hist(values, histtype="stepfilled", alpha=0.45, linewidth=0, label=f"to the {kind}", **style)
        axes.hist(values, histtype="step", linewidth=0.9, **style)
        mean = float(values.mean())
        axes.axvline(mean, color=tint, linestyle=(0, (4, 2)), linewidth=1.0, gid=f"mean of {kind}")
        halo: Any = [effects.withStroke(linewidth=3, foreground=ground())]  # over the other dashed line
        style = {"va": "top", "gid": "mean", "path_effects": halo}
        note(axes, f"{mean:.1f}°", (mean, height), (3, 0), axes.get_xaxis_transform(), **style)
    axes.set_xlim(0, bins[-1])
    axes.set_ylim(0, 1.3 * axes.get_ylim()[1])  # room for the numbers


def draw_course(axes: Axes, epochs: np.ndarray, means: np.ndarray) -> None:
    """Mean angles (2, T) against epochs (T,): logarithmic after the first moment, where most happens."""
    for kind, tint, line in zip(KINDS, _TINTS, means, strict=True):
        axes.plot(epochs, line, color=tint, marker="o", markersize=2.5, linewidth=1.3, gid=kind)
    first, last = float(epochs[epochs > 0].min()), float(epochs.max())
    axes.set_xscale("symlog", linthresh=first, linscale=0.5)
    decades = 10.0 ** np.arange(np.ceil(np.log10(first)), np.log10(last) - 0.15)
    ticks = [0.0, *(float(tick) for tick in decades if tick > 1.5 * first), last]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlim(0, 1.05 * last)


def draw_figure(figure: Figure, runs: Sequence[RunView], *, split: str) -> None:
    """A column per run, at most five of them side by side; all columns at the same angles."""
    pairs = [_final_angles(run, split) for run in runs]
    courses = [_course(run.snapshots, len(run.class_names)) for run in runs]
    highest = 1.05 * max((float(course[1].max()) for course in courses if course is not None), default=0.0)
    rows, lines = 1 + (highest > 0), caption_lines(run.caption for run in runs)
    bands, width = grid_shape(len(runs))
    set_size(figure, _WIDTH * width + 0.4, bands * (_HEIGHT * rows + 0.5 + 0.17 * lines) + 0.25)
    columns = run_columns(figure, len(runs), rows, sharex="row")
    widest = 5 * np.ceil(max(np.quantile(pair, 0.995) for pair in pairs) / 5)
    for (top, *below), run, pair, course in zip(columns, runs, pairs, courses, strict=True):
        title_lines(top, run.title, run.caption, lines)
        draw_axes(top, pair, np.linspace(0, widest, _BINS + 1))
        top.set_xlabel("angle (degrees)")
        for axes in below:
            if course is not None:
                draw_course(axes, *course)
                axes.set_ylim(0, highest)
                axes.set_xlabel("epoch")
                continue
            axes.axis("off")
            middle: Any = {"ha": "center", "va": "center", "fontsize": "small", "gid": "without-snapshots"}
            note(axes, _WITHOUT_SNAPSHOTS, (0.5, 0.5), (0, 0), "axes fraction", **middle)
    for first in range(0, len(runs), width):
        band = columns[first : first + width]
        band[0][0].set_ylabel(f"{split} features (%)")
        if shown := [below for _, *rest in band for below in rest if below.axison]:
            shown[0].set_ylabel("mean angle (degrees)")
    handles, _ = columns[0][0].get_legend_handles_labels()
    legend_below(figure, [*handles, Line2D([], [], color=ink(), linestyle="--", label="mean")])


def _final_angles(run: RunView, split: str) -> np.ndarray:
    part, train = split_of(run, split), split_of(run, "train")
    directions = run.weight
    if directions is None:
        directions = mean_directions(train.features, train.labels, len(run.class_names))
    return angles_of(part.features, part.labels, directions)


def _course(kept: Snapshots | None, classes: int) -> tuple[np.ndarray, np.ndarray] | None:
    """The epochs (T,) of snapshots, and both mean angles then (2, T)."""
    if kept is None:
        return None
    directions = kept.directions.get("weight")
    if directions is None:
        directions = np.stack([mean_directions(features, kept.labels, classes) for features in kept.features])
    moments = zip(kept.features, directions, strict=True)
    means = [angles_of(features, kept.labels, rows).mean(axis=1) for features, rows in moments]
    return kept.epochs, np.stack(means, axis=1)
