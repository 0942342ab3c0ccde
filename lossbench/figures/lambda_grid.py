"""Features at each value of a swept setting, as small multiples: class centres as white dots."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..protocols import RunView
from ..records import Panel
from ..specs import FigureSpec, Value
from ._plane import draw_plane
from ._projection import panel_of
from ._runs import part_of
from ._style import PANEL, set_size

SPEC = FigureSpec(
    title="λ grid",
    summary="test or train features as small multiples over any swept setting",
    after="Wen et al. 2016, Fig. 3",
    default="all",
    choices={"split": ("test", "train"), "projection": ("pca", "tsne", "umap")},
)
_ROW = 5  # panels, six where there are more than twenty


def draw(axes: Axes, panel: Panel, split: str) -> None:
    """One run in the plane, at its own limits: under a strong pull features shrink a hundredfold."""
    draw_plane(axes, panel, split)


def compose(figure: Figure, runs: Sequence[RunView], *, split: str, projection: str) -> None:
    """Runs in the given order, in rows of nearly equal length; of each setting's seeds the first."""
    first: dict[tuple[tuple[str, Value], ...], RunView] = {}
    for run in runs:
        found = first.setdefault(key := tuple(sorted(run.settings.items())), run)
        first[key] = min(found, run, key=lambda each: each.seed)
    panels = [panel_of(run, projection) for run in first.values()]
    for run in runs:
        part_of(run, split)
    several = len({panel.title for panel in panels}) > 1
    height = math.ceil(len(panels) / (_ROW if len(panels) <= 4 * _ROW else _ROW + 1))
    width = math.ceil(len(panels) / height)
    set_size(figure, PANEL * width + 0.2, (PANEL + 0.25) * height + 0.1)
    grid = figure.subplots(height, width, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes, panel in zip(grid.flat, panels, strict=False):
        draw(axes, panel, split)
        above = [panel.title] if several else []
        axes.set_title("\n".join([*above, *panel.subtitle.split(" · ")]), fontsize="medium")
