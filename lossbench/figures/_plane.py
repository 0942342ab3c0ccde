"""Features in the plane and on the unit circle: what several figures draw the same way."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba_array

from ..records import Panel
from ._style import UNSEEN, color, glyph, ground, ink, point_style, ray

_RING_DEPTH = 0.1
_SHAPES = ("s", "^", "D", "v", "P", "X")
_MOST_SHAPES = 60
_GLYPH_RADIUS = 1.22


def plane_limit(panel: Panel) -> float:
    """Half width that shows all but the farthest 0.1 % of the points of every split, and all centres."""
    reach = [np.quantile(np.abs(e.features).max(axis=1), 0.999) for e in panel.splits.values()]
    if panel.centers is not None:
        reach.append(np.nanmax(np.abs(panel.centers), initial=0))
    largest = float(max(reach))
    return 1.08 * largest if np.isfinite(largest) and largest > 0 else 1.0


def draw_plane(axes: Axes, panel: Panel, split: str, limit: float | None = None) -> None:
    """Features as they are, with class centres as white dots and class weights as rays; equal axes of
    half width `limit` (None: what the panel needs)."""
    limit = limit or plane_limit(panel)
    features, labels = panel.splits[split][:2]
    if panel.weight is not None:
        _draw_rays(axes, panel.weight, 1.5 * limit)
    _scatter(axes, features, labels)
    _draw_unseen(axes, panel, split, lambda points: points)
    if panel.centers is not None:
        x, y = panel.centers.T
        axes.scatter(x, y, s=16, color=ground(), edgecolors=ink(), linewidths=0.8, zorder=5, gid="centers")
    for label in np.unique(labels):
        x, y = features[labels == label].mean(axis=0)
        if panel.centers is not None:  # above the dot, which marks nearly the same place
            x, y = panel.centers[label]
            y += 0.1 * limit if y < 0.8 * limit else -0.15 * limit  # below where there is no room
        glyph(axes, float(x), float(y), panel.class_names[label])
    axes.set_xlim(-limit, limit)
    axes.set_ylim(-limit, limit)
    ticks = _ticks(limit)
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.set_aspect("equal", adjustable="box")


def draw_ring(axes: Axes, panel: Panel, split: str) -> None:
    """Directions of the features on the unit circle, with class weights as rays."""
    features, labels = panel.splits[split][:2]
    directions = _directions(features)
    if panel.weight is not None:
        _draw_rays(axes, panel.weight, 1 - _RING_DEPTH)
    _scatter(axes, _ring(features), labels)
    _draw_unseen(axes, panel, split, _ring)
    for label in np.unique(labels):
        mean = directions[labels == label].mean(axis=0)
        x, y = _GLYPH_RADIUS * mean / max(float(np.linalg.norm(mean)), 1e-12)
        glyph(axes, float(x), float(y), panel.class_names[label])
    axes.set_xlim(-1.35, 1.35)
    axes.set_ylim(-1.35, 1.35)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_aspect("equal", adjustable="box")


def _scatter(axes: Axes, points: np.ndarray, labels: np.ndarray) -> None:
    # one collection in random order: no class lies on top of the others because of its number
    order = np.random.RandomState(0).permutation(len(points))
    # as numbers: a name for each point would be looked up sixty thousand times
    colors = to_rgba_array([color(label) for label in range(int(labels.max()) + 1)])
    axes.scatter(
        points[order, 0],
        points[order, 1],
        c=colors[labels[order]],
        linewidths=0,
        rasterized=True,
        zorder=2,
        gid="features",
        **point_style(len(points)),
    )


def _draw_unseen(axes: Axes, panel: Panel, split: str, place: Callable[[np.ndarray], np.ndarray]) -> None:
    unseen = panel.splits.get("unseen")
    if split != "test" or unseen is None:
        return
    for number, label in enumerate(np.unique(unseen.labels)):
        x, y = place(unseen.features[unseen.labels == label][:_MOST_SHAPES]).T
        axes.scatter(
            x,
            y,
            s=7,
            c=color(label),
            marker=_SHAPES[number % len(_SHAPES)],
            edgecolors=UNSEEN,
            linewidths=0.5,
            zorder=3,
            rasterized=True,
            gid=f"unseen-{label}",
            label=panel.class_names[label],
        )
    axes.legend(
        title="unseen", loc="upper right", fontsize=7, title_fontsize=7, handletextpad=0.1, borderaxespad=0.1
    )


def _directions(features: np.ndarray) -> np.ndarray:
    found: np.ndarray = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    return found


def _ring(features: np.ndarray) -> np.ndarray:
    """Directions at radii around 1, so that density can be seen."""
    depth = 1 + _RING_DEPTH * np.random.RandomState(0).uniform(-1, 1, (len(features), 1))
    placed: np.ndarray = _directions(features) * depth
    return placed


def _draw_rays(axes: Axes, weight: np.ndarray, length: float) -> None:
    ends = length * weight / np.maximum(np.linalg.norm(weight, axis=1, keepdims=True), 1e-12)
    for label, (x, y) in enumerate(ends):
        axes.plot([0, x], [0, y], color=ray(), linewidth=0.6, zorder=1, gid=f"weight-{label}")


def _ticks(limit: float) -> list[float]:
    step = 10 ** np.floor(np.log10(limit))
    largest = float(next(step * k for k in (8, 6, 5, 4, 3, 2, 1) if step * k <= limit))
    return [-largest, 0.0, largest]
