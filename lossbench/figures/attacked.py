"""Features of images as they are, and below of the same images after an attack by FGSM; class names stand at
the former.

FGSM changes each pixel by at most 0.1, 1 being from black to white, up the gradient of the cross-entropy.
The shade is the distance to the nearest class mean of the training features, by which the metric
`fgsm-detection` tells attacked images; for a loss on angles it is the distance between directions. For L-GM
with unit covariance, light is where its likelihood is high.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.container import Container
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..metrics import nearest_mean_distance
from ..records import Embedding, RunView
from ..specs import FigureSpec
from ._layout import caption_lines, grid_shape, legend_below, run_columns, set_size, title_lines
from ._plane import draw_plane, mark_handles, plane_grid
from ._projection import panel_of
from ._requirements import require_dimension, split_of, winners
from ._style import PANEL, color, ground, ink, ray

SPEC = FigureSpec(
    title="attacked",
    summary="2-D features of images, and of the same images after FGSM with changes of 0.1",
    after="Wan et al. 2018 (L-GM), Fig. 1",
    dim=2,
)
_EPSILON = 0.1
_COUNT = 200  # points a side of the shade
_STEPS = 8  # of the shade
_DARKEST = 0.75  # of the grey of rays
_MARK = 7.0  # points squared


def draw_figure(figure: Figure, runs: Sequence[RunView]) -> None:
    """A column per run, both panels at the same limits; under each the share that is classified right."""
    require_dimension(runs, SPEC.dim, "Attacked images in the plane")
    for run in runs:
        split_of(run, "test")
    lines = caption_lines(run.caption for run in runs)
    bands, width = grid_shape(len(runs))
    set_size(figure, PANEL * 1.3 * width + 0.2, bands * (PANEL * 2.6 + 0.7 + 0.18 * lines))
    for run, (clean, attacked) in zip(runs, run_columns(figure, len(runs), 2), strict=True):
        title_lines(clean, run.title, run.caption, lines)
        count = draw_axes(clean, attacked, run)
        few = count < len(run.splits["test"].labels)
    wrong: Any = {"marker": "o", "linestyle": "", "markersize": 4, "markerfacecolor": color(1)}
    handles: list[Artist | Container] = [
        Line2D([], [], color=ink(), label="classified as another class", **wrong),
        Patch(facecolor=ray(), alpha=_DARKEST, label="far from the mean of every class"),
    ]
    shown = f"{'the first' if few else 'all'} {count:,} test images"
    words = f"{shown}; FGSM changes each pixel by at most {_EPSILON} (1: black to white)"
    legend_below(figure, [*handles, *mark_handles(runs, "train")], words)


def draw_axes(clean: Axes, attacked: Axes, run: RunView) -> int:
    """Draw one run with 2-D features: images as they are on the first axes, attacked ones on the second.
    Returns their number."""
    before, after = run.attacked_features(_EPSILON)
    labels, classes = run.splits["test"].labels[: len(before)], np.array(run.trained)
    splits = {
        what: Embedding(features, labels, winners(run.scores(features), classes))
        for what, features in (("as they are", before), ("after FGSM", after))
    }
    panel = panel_of(run)._replace(splits=splits)
    for axes, (what, part) in zip((clean, attacked), splits.items(), strict=True):
        draw_plane(axes, panel, what, names_at="as they are")
        _draw_distance(axes, run, panel.limit)
        wrong = part.predictions != labels
        marks: Any = {"s": _MARK, "facecolors": "none", "edgecolors": ink(), "linewidths": 0.3}
        axes.scatter(*part.features[wrong].T, zorder=3, rasterized=True, gid="wrong", alpha=0.7, **marks)
        axes.set_xlabel(f"{what}: {100 * (1 - wrong.mean()):.1f} % right")
    return len(labels)


def _draw_distance(axes: Axes, run: RunView, limit: float) -> None:
    """The distance to the nearest class mean as a shade behind everything."""
    points = plane_grid(limit, _COUNT)[1]
    distance = nearest_mean_distance(points, run.splits["train"], cosine=run.cosine)
    half = limit * _COUNT / (_COUNT - 1)  # pixels are centered on the points
    axes.imshow(
        distance.reshape(_COUNT, _COUNT),
        cmap=LinearSegmentedColormap.from_list("far", [ground(), ray()], _STEPS),
        alpha=_DARKEST,
        extent=(-half, half, -half, half),
        origin="lower",
        interpolation="nearest",
        zorder=0,
        gid="distance",
    )
