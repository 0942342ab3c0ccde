"""Which class wins where in the plane, and where it wins without the margin but not with it.

The ground has the colour of the class with the largest margin-free score. In the darker band the loss of
that very class exceeds log 2: against one rival, the rival has the larger probability in training. A margin
pushes features out of it.
"""

import warnings
from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.container import Container
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..errors import CodeFailed, RunError
from ..records import RunView
from ..specs import FigureSpec
from ._layout import legend_below, run_panels
from ._plane import draw_plane, mark_handles, plane_grid
from ._projection import panel_of
from ._requirements import require_dimension, split_of, winners
from ._style import color, ground, ink

SPEC = FigureSpec(
    title="regions",
    summary="decision regions behind 2-D features, with the band that the margin takes from each class",
    after="Deng et al. 2019, Fig. 5",
    dim=2,
    choices={"split": ("test", "train")},
)
_COUNT = 400  # points a side: a pixel of a panel each
_TINT, _BAND = 0.17, 0.42  # opacity of the class colour over the background


def own_loss(run: RunView, points: np.ndarray, won: np.ndarray) -> np.ndarray | None:
    """The loss (N,) of points (N, 2), each as one of the class that it falls to; None for a loss on pairs."""
    losses = np.empty(len(points))
    for label in np.unique(won):
        region = won == label
        try:
            losses[region] = run.loss_values(points[region], int(label))[0]
        except CodeFailed as error:
            warnings.warn(f"{error} The figure has no band of it.", stacklevel=2)
            return None
        except RunError:
            return None
    return losses


def draw_axes(axes: Axes, run: RunView, split: str) -> bool:
    """Draw one run with 2-D features; whether it has a band."""
    panel = panel_of(run)
    limit = panel.limit
    classes = np.array(run.trained)
    line, points = plane_grid(limit, _COUNT)
    won = winners(run.scores(points), classes)
    losses = own_loss(run, points, won)
    inside = np.zeros(len(points), bool) if losses is None else losses > np.log(2)
    strength = np.where(inside, _BAND, _TINT)[:, None]
    tints = np.array([to_rgb(color(label)) for label in range(int(classes.max()) + 1)])
    shades = strength * tints[won] + (1 - strength) * to_rgb(ground())
    half = limit * _COUNT / (_COUNT - 1)  # pixels are centered on the points
    axes.imshow(
        shades.reshape(_COUNT, _COUNT, 3),
        extent=(-half, half, -half, half),
        origin="lower",
        interpolation="nearest",
        zorder=0,
        gid="regions",
    )
    for label in classes:
        wins = np.where(won == label, 1.0, 0.0).reshape(_COUNT, _COUNT)
        axes.contour(line, line, wins, levels=[0.5], colors=[ink()], linewidths=0.5, zorder=1.5)
    draw_plane(axes, panel, split, limit)
    return bool(inside.any())


def draw_figure(figure: Figure, runs: Sequence[RunView], *, split: str) -> None:
    """A panel per run, each at its own limits; below what areas and lines mean."""
    require_dimension(runs, SPEC.dim, "Decision regions")
    for run in runs:
        split_of(run, split)
    grid = run_panels(figure, runs, row=0.2)
    bands = [draw_axes(axes, run, split) for axes, run in zip(grid, runs, strict=True)]
    marks: list[Artist | Container] = [
        Patch(facecolor=ink(), alpha=_TINT, label="colour of the class with the largest score")
    ]
    if any(bands):
        text = (
            "the same, where the loss of that class, with its\nmargin, exceeds log 2 (probability below 1/2)"
        )
        marks.append(Patch(facecolor=ink(), alpha=_BAND, label=text))
    marks.append(Line2D([], [], color=ink(), linewidth=0.8, label="boundary between classes"))
    legend_below(figure, [*marks, *mark_handles(runs, split)])
