"""Directions of three-dimensional features on the unit sphere, from all sides.

The far side is faint. Class weights are pins that stick out of the sphere.
"""

from collections.abc import Sequence
from typing import Any

import matplotlib.patheffects as effects
import numpy as np
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import Axes3D

from ..metrics import unit
from ..records import Embedding, RunView
from ..specs import FigureSpec
from ._layout import set_size
from ._names import spread
from ._requirements import mean_directions, require_dimension, split_of
from ._style import PANEL, color, draw_points, ground, ink, point_style, ray

SPEC = FigureSpec(
    title="sphere",
    summary="directions of 3-D features on the unit sphere from four sides; a row per run",
    after="Liu et al. 2017 (SphereFace), Fig. 5",
    dim=3,
    choices={"split": ("test", "train")},
)
VIEWS = ((-20, 30), (-20, 150), (-20, 270), (90, 30))
"""Elevation and azimuth in degrees: from the corners of a tetrahedron, so that some view shows each part."""
_PIN, _NAME = 1.15, 1.28
_FAINT = 0.22
_ZOOM, _RADIUS = 1.28, 0.286
"""Size of a sphere in its square panel, and its radius there at size 1."""
_LESS_PER_LETTER = 0.046
"""Share by which panels are lower, and spheres smaller, for each letter of a class name after the second."""
_LETTERS = 10  # of a class name; beyond, the sphere would be too small


def draw_axes(
    axes: Axes3D,
    part: Embedding,
    class_names: Sequence[str],
    weight: np.ndarray | None,
    *,
    elevation: float,
    azimuth: float,
) -> None:
    """Draw features (N, 3) as seen from `elevation` and `azimuth` (degrees), without perspective."""
    axes.computed_zorder = False  # far side, near side: Matplotlib sorts by the mean depth of a whole cloud
    axes.set_proj_type("ortho")
    axes.view_init(elevation, azimuth)
    up, around = np.radians([elevation, azimuth])
    eye = np.array([np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up)])
    above = np.array([-np.sin(up) * np.cos(around), -np.sin(up) * np.sin(around), np.cos(up)])
    _draw_wires(axes, eye)
    _draw_features(axes, part, eye)
    if weight is not None:
        for label, direction in enumerate(unit(np.nan_to_num(weight))):
            if direction.any():
                _draw_pin(axes, direction, label, eye)
    axes.set_axis_off()
    axes.set(xlim=(-1, 1), ylim=(-1, 1), zlim=(-1, 1))
    axes.set_box_aspect((1, 1, 1), zoom=_ZOOM)
    means = mean_directions(part.features, part.labels, len(class_names))
    names = [(_short(class_names[label]), unit(means[label][None])[0]) for label in np.unique(part.labels)]
    _draw_names(axes, names, eye, above)
    axes.patch.set_visible(False)  # it would cover the names around the sphere to its left


def _draw_wires(axes: Axes3D, eye: np.ndarray) -> None:
    turn = np.linspace(0, 2 * np.pi, 181)
    flat = np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=1)
    circles = [
        flat * (np.cos(u), np.cos(u), 0) + (0, 0, np.sin(u)) for u in np.radians([-60, -30, 0, 30, 60])
    ]
    for a in np.radians(np.arange(0, 180, 30)):
        circles.append(flat[:, :1] * (np.cos(a), np.sin(a), 0) + flat[:, 1:2] * (0, 0, 1))
    for circle in circles:
        near = (circle @ eye >= 0)[:, None]
        for side, alpha, order in ((near, 0.9, 2), (~near, 0.35, 0)):
            x, y, z = np.where(side, circle, np.nan).T
            axes.plot(x, y, z, color=ray(), linewidth=0.5, alpha=alpha, zorder=order, gid="wire")
    across = np.linalg.svd(eye[None])[2][1:]  # two directions at right angles to the eye: the outline
    x, y, z = (flat[:, :2] @ across).T
    axes.plot(x, y, z, color=ray(), linewidth=0.9, zorder=2, gid="outline")


def _draw_features(axes: Axes3D, part: Embedding, eye: np.ndarray) -> None:
    order = np.random.RandomState(0).permutation(len(part.labels))
    points, labels = unit(part.features[order].astype(np.float64)), part.labels[order]
    tints = np.array([color(label) for label in range(int(labels.max()) + 1)])
    near = points @ eye >= 0
    alpha = point_style(len(points))["alpha"]
    for name, side, share, place in (("near", near, 1.0, 3), ("far", ~near, _FAINT, 1)):
        style: Any = {"alpha": share * alpha, "depthshade": False, "zorder": place}
        draw_points(axes, points[side], tints[labels[side]], f"features-{name}", len(points), **style)


def _draw_pin(axes: Axes3D, direction: np.ndarray, label: int, eye: np.ndarray) -> None:
    near = direction @ eye >= 0
    x, y, z = np.stack([direction, _PIN * direction], axis=1)
    style: Any = {"linewidth": 1.3, "alpha": 1.0 if near else _FAINT, "zorder": 4 if near else 0}
    axes.plot(x, y, z, color=ink(), gid=f"weight-{label}", **style)


def _draw_names(
    axes: Axes3D, directions: Sequence[tuple[str, np.ndarray]], eye: np.ndarray, above: np.ndarray
) -> None:
    """The names on the near side, beyond the sphere, one above another where they would overlap."""
    near = [(name, _NAME * direction) for name, direction in directions if direction @ eye >= 0]
    style: Any = {"ha": "center", "va": "center", "fontweight": "bold", "gid": "class-glyph", "zorder": 6}
    style |= {"path_effects": [effects.withStroke(linewidth=2.6, foreground=ground())]}
    texts = [axes.text(*place, name, **style) for name, place in near]
    if not texts:
        return
    screen = np.stack([np.cross(above, eye), above])
    middles = np.array([place for _, place in near]) @ screen.T
    radius = _RADIUS * _ZOOM * min(axes.bbox.size)  # in pixels
    moved = spread(middles, np.array([text.get_window_extent().size for text in texts]) / radius)
    for text, (_, place), steps in zip(texts, near, (moved - middles)[:, 1], strict=True):
        text.set_position_3d(place + steps * above)


def _short(name: str) -> str:
    return name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…"


def draw_figure(figure: Figure, runs: Sequence[RunView], *, split: str) -> None:
    """A row per run, a column per view."""
    require_dimension(runs, SPEC.dim, "The sphere")
    longest = max(len(_short(name)) for run in runs for name in run.class_names)
    row_height = 1.1 * PANEL * (1 - _LESS_PER_LETTER * max(0, longest - 2))
    set_size(figure, 1.1 * PANEL * len(VIEWS), (row_height + 0.35) * len(runs) + 0.2)
    figure.set_layout_engine("constrained")  # "compressed" would push a single row of spheres together
    pins = "strokes: class weights; " * any(run.weight is not None for run in runs)
    figure.supxlabel(f"{pins}what is on the far side is faint and has no name", fontsize="small")
    for row, run in zip(figure.subfigures(len(runs), 1, squeeze=False)[:, 0], runs, strict=True):
        row.suptitle(f"{run.title} · {run.caption}", fontsize="large")
        grid = row.subplots(1, len(VIEWS), subplot_kw={"projection": "3d"})
        for axes, (elevation, azimuth) in zip(grid, VIEWS, strict=True):
            draw_axes(
                axes, split_of(run, split), run.class_names, run.weight, elevation=elevation, azimuth=azimuth
            )
