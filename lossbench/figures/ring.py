"""Where the directions of each class lie on the circle, and how densely.

Every feature is a stroke across the unit circle. Outside is the density of each class's angle, at one
scale in all panels; inside is an arc over the middle 95 % of each class, and the class weights as rays:
narrow arcs far apart, each before its ray, are what a margin on the angle is for.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from ..records import Embedding, RunView
from ..specs import FigureSpec
from ._layout import run_panels
from ._names import draw_names
from ._plane import draw_rays
from ._requirements import require_dimension, split_of
from ._style import color, point_style, ray

SPEC = FigureSpec(
    title="ring",
    summary="directions on the unit circle: every feature, density by class, arcs and class weights",
    after="Deng et al. 2019, Fig. 3",
    dim=2,
    choices={"split": ("test", "train")},
)
_STROKE, _BASE, _PROFILE, _ARCS, _RAY = 0.045, 1.07, 0.5, (0.9, 0.85), 0.8
_LETTER = 0.06  # half the width of a letter: names stand beside the circle, not across it
_BINS = 1440  # of a quarter of a degree
_GRID = 2 * np.pi * np.arange(_BINS + 1) / _BINS
_NARROWEST = np.radians(0.4)  # kernel: a class on one ray is drawn as a needle, not as a line without area


def density(angles: np.ndarray) -> np.ndarray:
    """Density per degree of angles (n,) in radians, at `_BINS` angles from 0: a wrapped normal kernel with
    Silverman's width, sin and cos averaged in place of the angles."""
    mean = np.angle(np.exp(1j * angles).mean())
    offsets = np.angle(np.exp(1j * (angles - mean)))
    low, high = np.quantile(offsets, (0.25, 0.75))
    spread = min(float(offsets.std()), float(high - low) / 1.34) or float(offsets.std())
    width = max(0.9 * spread * len(angles) ** -0.2, _NARROWEST)
    counts = np.bincount(np.rint(angles / (2 * np.pi) * _BINS).astype(int) % _BINS, minlength=_BINS)
    kernel = np.exp(-0.5 * (width * np.fft.rfftfreq(_BINS, 1 / _BINS)) ** 2)
    smooth = np.fft.irfft(np.fft.rfft(counts) * kernel, _BINS).clip(0)
    return np.asarray(smooth / len(angles) * _BINS / 360)


def draw_axes(
    axes: Axes, part: Embedding, class_names: Sequence[str], weight: np.ndarray | None, *, highest: float
) -> None:
    """Draw features (N, 2) of one run; a profile of density `highest`, per degree, has full height."""
    angles = np.arctan2(part.features[:, 1], part.features[:, 0])
    draw_rays(axes, weight, _RAY, width=0.9)
    axes.plot(*_at(1, _GRID).T, color=ray(), linewidth=0.6, zorder=1, gid="circle")
    _draw_strokes(axes, angles, part.labels)
    labels = np.unique(part.labels)
    means = {label: np.angle(np.exp(1j * angles[part.labels == label]).mean()) for label in labels}
    positions = {}
    for place, label in enumerate(sorted(labels, key=lambda label: means[label])):
        of_class = angles[part.labels == label]
        profile = _draw_profile(axes, of_class, int(label), highest)
        _draw_arc(axes, of_class, means[label], int(label), _ARCS[place % 2])
        outside = _LETTER * (len(class_names[label]) - 1) * np.array([np.cos(means[label]), 0])
        positions[label] = _at(_BASE + 0.13 + profile, means[label]) + outside
    reach = _BASE + _PROFILE + 0.28 + _LETTER * (max(map(len, class_names)) - 1)
    draw_names(axes, positions, class_names, reach)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[], aspect="equal")
    axes.spines[:].set_visible(False)


def _at(radius: float | np.ndarray, angles: np.ndarray) -> np.ndarray:
    return np.stack([radius * np.cos(angles), radius * np.sin(angles)], axis=-1)


def _draw_strokes(axes: Axes, angles: np.ndarray, labels: np.ndarray) -> None:
    # in random order: no class lies on top of the others because of its number
    order = np.random.RandomState(0).permutation(len(angles))
    strokes = np.stack([_at(1 - _STROKE, angles[order]), _at(1 + _STROKE, angles[order])], axis=1)
    tints = [color(label) for label in labels[order]]
    alpha = point_style(len(angles))["alpha"]
    style: Any = {"colors": tints, "linewidths": 0.4, "alpha": alpha, "rasterized": True, "zorder": 2}
    axes.add_collection(LineCollection(list(strokes), gid="features", **style))


def _draw_profile(axes: Axes, angles: np.ndarray, label: int, highest: float) -> float:
    """Returns the profile's height."""
    densities = density(angles)
    heights = _PROFILE * np.append(densities, densities[0]) / highest
    outer, inner = _at(_BASE + heights, _GRID), _at(_BASE, _GRID[::-1])
    tint = color(label)
    profile = Polygon(np.concatenate([outer, inner]), facecolor=tint, alpha=0.55, linewidth=0, zorder=2)
    profile.set_gid(f"profile-{label}")
    axes.add_artist(profile)  # add_patch would look for the limits, vertex by vertex
    seen = heights > 0.004 * _PROFILE  # no line along the circle where the class is not
    axes.plot(*np.where(seen[:, None], outer, np.nan).T, color=tint, linewidth=0.9, zorder=3)
    return float(heights.max())


def _draw_arc(axes: Axes, angles: np.ndarray, mean: float, label: int, radius: float) -> None:
    offsets = np.angle(np.exp(1j * (angles - mean)))
    first, last = mean + np.quantile(offsets, (0.025, 0.975))
    x, y = _at(radius, np.linspace(first, last, 60)).T
    tint = color(label)
    axes.plot(x, y, color=tint, linewidth=2.6, solid_capstyle="butt", zorder=4, gid=f"arc-{label}")


def draw_figure(figure: Figure, runs: Sequence[RunView], *, split: str) -> None:
    """A panel per run; densities at one scale, so that heights compare between panels."""
    require_dimension(runs, SPEC.dim, "The ring")
    parts = [split_of(run, split) for run in runs]
    highest = max(
        float(density(np.arctan2(*part.features[part.labels == label].T[::-1])).max())
        for part in parts
        for label in np.unique(part.labels)
    )
    key = (
        f"strokes: {split} features; outside, density of each class's angle;\n"
        "inside, arc over 95 % of each class; grey rays: class weights"
    )
    grid = run_panels(figure, runs, row=0.35, below=0.15, key=key)
    for axes, run, part in zip(grid, runs, parts, strict=True):
        draw_axes(axes, part, run.class_names, run.weight, highest=highest)
