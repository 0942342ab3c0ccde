"""The loss over the plane for samples of one class, weights fixed, and where its gradient pushes them.

Colours are the loss of one feature there; arrows, all of one length, point down its gradient. The
features of the class lie on top, its own direction thicker than the others.
"""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

from ..metrics import unit
from ..records import RunView
from ..specs import FigureSpec
from ._layout import run_panels
from ._plane import plane_grid
from ._projection import panel_of
from ._requirements import class_number, require_dimension, split_of
from ._style import COLORMAP, color, draw_name, draw_points, readable_on

SPEC = FigureSpec(
    title="loss surface",
    summary="the loss of one class over the plane of features, with its negative gradient",
    dim=2,
    choices={"split": ("test", "train"), "label": ()},
)
_COUNT, _ARROWS, _LEVELS = 201, 16, 24
_FLOOR = 0.01  # a lower loss, a probability above 99 %, is not told apart


def draw_axes(axes: Axes, run: RunView, split: str, label: int) -> Any:
    """Draw the loss for samples of class `label`; returns the filled contours, for a colour bar."""
    limit = panel_of(run).limit
    line, points = plane_grid(limit, _COUNT)
    values = run.loss_values(points, label)[0].reshape(_COUNT, _COUNT)
    norm, levels = _scale(values)
    filled = axes.contourf(
        line, line, values.clip(levels[0], levels[-1]), levels=levels, norm=norm, cmap=COLORMAP, zorder=0
    )
    _draw_arrows(axes, run, label, 0.92 * limit, norm)
    _draw_weights(axes, run, label, 1.5 * limit)
    part = split_of(run, split)
    of_class = part.features[part.labels == label]
    draw_points(axes, of_class, color(label), "features", 4 * len(of_class), zorder=4)
    if len(of_class):
        x, y = of_class.mean(axis=0)
        draw_name(axes, float(x), float(y), run.class_names[label])
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), xticks=[], yticks=[], aspect="equal")
    axes.spines[:].set_visible(False)
    return filled


def _scale(values: np.ndarray) -> tuple[Normalize, np.ndarray]:
    """Logarithmic above the floor; linear for a loss that falls below zero or hardly above the floor."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if low < 0 or high < 10 * _FLOOR:
        high = high if high > low else low + 1
        return Normalize(low, high), np.linspace(low, high, _LEVELS)
    low = min(max(low, _FLOOR), 0.9 * high)
    return LogNorm(low, high), np.geomspace(low, high, _LEVELS)


def _draw_arrows(axes: Axes, run: RunView, label: int, reach: float, norm: Normalize) -> None:
    _, points = plane_grid(reach, _ARROWS)
    values, gradients = run.loss_values(points, label)
    steep = np.linalg.norm(gradients, axis=1)
    seen = steep > 1e-6 * float(np.median(steep))  # where the loss is flat there is no direction
    shades = mpl.colormaps[COLORMAP](norm(values[seen].clip(norm.vmin, norm.vmax)))
    tints = [readable_on(shade[:3]) for shade in shades]
    style: Any = {"pivot": "mid", "angles": "xy", "scale_units": "xy", "scale": _ARROWS / (1.5 * reach)}
    style |= {"color": tints, "alpha": 0.75, "width": 0.0045, "zorder": 3, "gid": "gradient"}
    axes.quiver(*points[seen].T, *(-gradients[seen] / steep[seen, None]).T, **style)


def _draw_weights(axes: Axes, run: RunView, label: int, length: float) -> None:
    if run.weight is None:
        return
    tint = readable_on(mpl.colormaps[COLORMAP](0.0)[:3])  # the own direction is where the loss is low
    for number, (x, y) in enumerate(length * unit(run.weight)):
        style: Any = {"linewidth": 2.0, "alpha": 1.0} if number == label else {"linewidth": 0.6, "alpha": 0.6}
        axes.plot([0, x], [0, y], color=tint, zorder=2, gid=f"weight-{number}", **style)


def draw_figure(figure: Figure, runs: Sequence[RunView], *, split: str, label: str) -> None:
    """A panel per run, each with its own limits and colour bar."""
    require_dimension(runs, SPEC.dim, "The loss surface")
    key = "arrows: negative gradient;\nthick line: weight of the class; thin lines: those of the others"
    for axes, run in zip(run_panels(figure, runs, row=0.75, key=key), runs, strict=True):
        number = class_number(run, label)
        filled = draw_axes(axes, run, split, number)
        bar = figure.colorbar(filled, ax=axes, location="bottom", shrink=0.85, aspect=30, pad=0.02)
        bar.set_label(f"loss of a sample of class {run.class_names[number]}")
        if isinstance(filled.norm, LogNorm):
            wide = filled.norm.vmax > 1000 * filled.norm.vmin  # type: ignore[operator]
            bar.ax.xaxis.set_major_locator(LogLocator(subs=(1,) if wide else (1, 3)))
            bar.ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            bar.ax.minorticks_off()
        else:
            bar.ax.xaxis.set_major_locator(MaxNLocator(4))
