"""Features in the plane, one colour per class: the figure of the center-loss and ArcFace papers.

`raw` shows the features as they are, with class centres as white dots and class weights as rays;
`normalized` their directions on the unit circle, each class on a ring segment of a little depth so that
density can be seen, with the class weights as rays. Classes that training never saw are drawn over the
test features as grey-edged shapes, at most so many of each that those below stay visible.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes

from ..contracts import FigureSpec
from ..records import Panel
from ._style import INK, RAY, UNSEEN, color, glyph, point_style

SPEC = FigureSpec(
    title="features",
    summary="2-D features by class, raw or on the unit circle",
    after="Wen et al. 2016, Fig. 2; Deng et al. 2019, Fig. 3",
)
_RING_DEPTH = 0.1
_SHAPES = ("s", "^", "D", "v", "P", "X")
_MOST_SHAPES = 60
_GLYPH_RADIUS = 1.22


def draw(axes: Axes, panel: Panel, split: str, *, view: str = "raw", limit: float | None = None) -> None:
    """Draw one split of a panel; `limit` fixes the half width of raw axes, which are always equal."""
    if view == "normalized":
        _draw_ring(axes, panel, split)
    else:
        _draw_plane(axes, panel, split, limit or plane_limit(panel))
    axes.set_aspect("equal", adjustable="box")


def plane_limit(panel: Panel) -> float:
    """Half width that shows all but the farthest 0.1 % of the points of every split, and all centres."""
    reach = [np.quantile(np.abs(e.features).max(axis=1), 0.999) for e in panel.splits.values()]
    if panel.centers is not None:
        reach.append(np.nanmax(np.abs(panel.centers)))
    largest = float(max(reach))
    return 1.08 * largest if np.isfinite(largest) and largest > 0 else 1.0


def _draw_plane(axes: Axes, panel: Panel, split: str, limit: float) -> None:
    features, labels = panel.splits[split][:2]
    if panel.weight is not None:
        _draw_rays(axes, panel.weight, 1.5 * limit)
    _scatter(axes, features, labels)
    _draw_unseen(axes, panel, split, lambda points: points)
    if panel.centers is not None:
        x, y = panel.centers.T
        axes.scatter(x, y, s=16, c="white", edgecolors=INK, linewidths=0.8, zorder=5, gid="centers")
    for label in np.unique(labels):
        x, y = features[labels == label].mean(axis=0)
        if panel.centers is not None:  # above the dot, which marks nearly the same place
            x, y = panel.centers[label] + (0, 0.1 * limit)
        glyph(axes, float(x), float(y), panel.class_names[label])
    axes.set_xlim(-limit, limit)
    axes.set_ylim(-limit, limit)
    ticks = _ticks(limit)
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)


def _draw_ring(axes: Axes, panel: Panel, split: str) -> None:
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


def _scatter(axes: Axes, points: np.ndarray, labels: np.ndarray) -> None:
    # one collection in random order: no class lies on top of the others because of its number
    order = np.random.RandomState(0).permutation(len(points))
    colors = np.array([color(label) for label in range(int(labels.max()) + 1)])
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
        axes.plot([0, x], [0, y], color=RAY, linewidth=0.6, zorder=1, gid=f"weight-{label}")


def _ticks(limit: float) -> list[float]:
    step = 10 ** np.floor(np.log10(limit))
    largest = float(next(step * k for k in (8, 6, 5, 4, 3, 2, 1) if step * k <= limit))
    return [-largest, 0.0, largest]
