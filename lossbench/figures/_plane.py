"""Features in the plane and on the unit circle: what several figures draw the same way."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba_array
from matplotlib.container import Container
from matplotlib.lines import Line2D

from ..errors import at_most
from ..metrics import class_means, unit
from ..records import Embedding, RunView
from ._names import draw_names
from ._style import UNSEEN, color, draw_points, ground, ink, ray

_RING_DEPTH = 0.1
_SHAPES = ("s", "^", "D", "v", "P", "X")
_MOST_SHAPES = 60
_UNSEEN_KEY: Any = {"markersize": 4, "markeredgecolor": UNSEEN, "markeredgewidth": 0.5}
_GLYPH_RADIUS = 1.22
_MIDDLE = 0.1
_NAME_RADIUS = 0.11
"""Half the height of a class name, as a share of the half width of the axes."""


class Panel(NamedTuple):
    """A run in the plane: titles, features (n, 2) by split, class weights and centers (C, 2) or None."""

    title: str
    subtitle: str
    splits: Mapping[str, Embedding]
    class_names: tuple[str, ...]
    weight: np.ndarray | None
    centers: np.ndarray | None

    @property
    def limit(self) -> float:
        """Half width of axes that show the run."""
        return plane_limit([split.features for split in self.splits.values()], self.centers)


def plane_limit(features: Sequence[np.ndarray], centers: np.ndarray | None) -> float:
    """Half width that shows all but the farthest 0.5 % of each of the features (n, 2), and all centers."""
    reach = [np.quantile(np.abs(points).max(axis=1), 0.995) for points in features]
    if centers is not None:
        reach.append(np.nanmax(np.abs(centers), initial=0))
    largest = float(max(reach))
    return 1.08 * largest if np.isfinite(largest) and largest > 0 else 1.0


def first_visible(moments: Sequence[np.ndarray], limit: float) -> int:
    """Where to start showing features (n, 2) of several moments that grow from the origin, on axes of half
    width `limit`: the number of the last moment before 1 % of them leave the middle tenth."""
    reach = [np.quantile(np.abs(points).max(axis=1), 0.99) for points in moments]
    return next((max(number - 1, 0) for number, each in enumerate(reach) if each > _MIDDLE * limit), 0)


def draw_plane(
    axes: Axes, panel: Panel, split: str, limit: float | None = None, *, names_at: str = ""
) -> None:
    """Features as they are, with class centers as white dots and class weights as rays; equal axes of
    half width `limit` (None: what the panel needs). Class names stand at the features of the split
    `names_at`, by default at those drawn."""
    limit = limit or panel.limit
    features, labels = panel.splits[split][:2]
    draw_rays(axes, panel.weight, 1.5 * limit)
    _scatter(axes, features, labels)
    _draw_unseen(axes, panel, split, lambda points: points)
    if panel.centers is not None:
        x, y = panel.centers.T
        axes.scatter(x, y, s=16, color=ground(), edgecolors=ink(), linewidths=0.8, zorder=5, gid="centers")
    positions = {}
    named, labels = panel.splits[names_at or split][:2]
    for label in np.unique(labels):
        center = None if panel.centers is None else panel.centers[label]
        positions[label] = _name_position(named[labels == label], center, limit)
    draw_names(axes, positions, panel.class_names, limit)
    ticks = _ticks(limit)
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), xticks=ticks, yticks=ticks, aspect="equal")


def _name_position(points: np.ndarray, center: np.ndarray | None, limit: float) -> np.ndarray:
    """Where the name of a class with these features (n, 2) is drawn: on their mean, or beside it, away from
    the origin, where it would hide the dot of the center or half of the features."""
    middle: np.ndarray = points.mean(axis=0)
    if center is not None and np.linalg.norm(center - middle) < _NAME_RADIUS * limit:
        middle = center
    else:
        center = None  # far from the features, which the name belongs to
    radius = float(np.median(np.linalg.norm(points - middle, axis=1)))
    small = radius < _NAME_RADIUS * limit
    if center is None and not small:
        return middle
    outwards = (
        unit(middle[None])[0] if np.linalg.norm(middle) > _NAME_RADIUS * limit else np.array([0.0, 1.0])
    )
    shift = (_NAME_RADIUS * limit + (radius if small else 0.0)) * outwards
    has_room = np.abs(middle + shift).max() < (1 - _NAME_RADIUS) * limit
    return np.asarray(middle + shift if has_room else middle - shift)


def draw_ring(axes: Axes, panel: Panel, split: str) -> None:
    """Directions of the features on the unit circle, with class weights as rays."""
    features, labels = panel.splits[split][:2]
    draw_rays(axes, panel.weight, 1 - _RING_DEPTH)
    _scatter(axes, _ring(features), labels)
    _draw_unseen(axes, panel, split, _ring)
    means = unit(class_means(unit(features.astype(np.float64)), labels, len(panel.class_names)))
    positions = {label: _GLYPH_RADIUS * means[label] for label in np.unique(labels)}
    draw_names(axes, positions, panel.class_names, _GLYPH_RADIUS)
    axes.set(xlim=(-1.35, 1.35), ylim=(-1.35, 1.35), xticks=[], yticks=[], aspect="equal")
    axes.spines[:].set_visible(False)


def _scatter(axes: Axes, points: np.ndarray, labels: np.ndarray) -> None:
    # one collection in random order: no class lies on top of the others because of its number
    order = np.random.RandomState(0).permutation(len(points))
    # as numbers: a name for each point would be looked up sixty thousand times
    colors = to_rgba_array([color(label) for label in range(int(labels.max()) + 1)])
    draw_points(axes, points[order], colors[labels[order]], "features", len(points), zorder=2)


def _draw_unseen(axes: Axes, panel: Panel, split: str, place: Callable[[np.ndarray], np.ndarray]) -> None:
    unseen = panel.splits.get("unseen")
    if split != "test" or unseen is None:
        return
    for label, shape in _shapes(unseen):
        x, y = place(unseen.features[unseen.labels == label][:_MOST_SHAPES]).T
        style: Any = {"marker": shape, "edgecolors": UNSEEN, "linewidths": 0.5, "gid": f"unseen-{label}"}
        axes.scatter(x, y, s=7, c=color(label), zorder=3, rasterized=True, **style)


def _shapes(unseen: Embedding) -> list[tuple[int, str]]:
    """Unseen classes with the shapes of their points."""
    return list(zip(np.unique(unseen.labels).tolist(), itertools.cycle(_SHAPES), strict=False))


def _ring(features: np.ndarray) -> np.ndarray:
    """Directions at radii around 1, so that density can be seen."""
    depth = 1 + _RING_DEPTH * np.random.RandomState(0).uniform(-1, 1, (len(features), 1))
    return np.asarray(unit(features.astype(np.float64)) * depth)


def draw_rays(axes: Axes, weight: np.ndarray | None, length: float, width: float = 0.6) -> None:
    """The directions of class weights (C, 2) from the origin, if there are any."""
    for label, (x, y) in enumerate(() if weight is None else length * unit(weight)):
        axes.plot([0, x], [0, y], color=ray(), linewidth=width, zorder=1, gid=f"weight-{label}")


def mark_handles(views: Sequence[Panel | RunView], split: str) -> list[Artist | Container]:
    """Legend entries of the rays, the dots and, beside test features, the unseen classes of any panel."""
    handles: list[Artist | Container] = []
    if any(view.weight is not None for view in views):
        handles.append(Line2D([], [], color=ray(), label="direction of a class weight, not a boundary"))
    if any(view.centers is not None for view in views):
        style: Any = {"marker": "o", "markersize": 4, "linestyle": "", "markeredgewidth": 0.8}
        style |= {"markerfacecolor": ground(), "markeredgecolor": ink()}
        handles.append(Line2D([], [], label="class center", **style))
    unseen = {
        shape: view.class_names[shape[0]]
        for view in views
        if split != "train" and "unseen" in view.splits
        for shape in _shapes(view.splits["unseen"])
    }
    if unseen:
        shapes = [
            Line2D([], [], marker=shape, color=color(label), linestyle="", **_UNSEEN_KEY)
            for label, shape in list(unseen)[: len(_SHAPES)]
        ]
        handles.append(Container(shapes, label=f"unseen: {', '.join(at_most(list(unseen.values())))}"))
    return handles


def plane_grid(limit: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` positions (n,) from -limit to limit, and all points (n * n, 2) with them, y by y."""
    line = np.linspace(-limit, limit, count)
    return line, np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)


def _ticks(limit: float) -> list[float]:
    step = 10 ** np.floor(np.log10(limit))
    largest = float(next(step * k for k in (8, 6, 5, 4, 3, 2, 1) if step * k <= limit))
    return [-largest, 0.0, largest]
