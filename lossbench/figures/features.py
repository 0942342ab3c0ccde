"""Features in the plane, one colour per class: the figure of the center-loss and ArcFace papers.

`raw` shows the features as they are, with class centers as white dots and class weights as rays;
`normalized` their directions on the unit circle, each class on a ring segment of a little depth so that
density can be seen, with the class weights as rays. Unseen classes are drawn over the
test features as grey-edged shapes, few enough of each that those below stay visible.
"""

import itertools
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..records import RunView
from ..specs import FigureSpec
from ._layout import caption_lines, grid_shape, legend_below, run_columns, set_size, title_lines
from ._plane import Panel, draw_plane, draw_ring, mark_handles
from ._projection import panel_of
from ._requirements import split_of
from ._style import PANEL

SPEC = FigureSpec(
    title="features",
    summary="2-D features by class, raw or on the unit circle; a column per run",
    after="Wen et al. 2016, Fig. 2; Deng et al. 2019, Fig. 3",
    choices={
        "split": ("both", "train", "test"),
        "view": ("raw", "normalized"),
        "projection": ("pca", "tsne", "umap"),
    },
)

_ROW = 0.95 * PANEL  # inches: panels are square, and the numbers beside them take some of their width
_ALIKE = 0.9  # of the widest axes: panels that reach at least this far share its limits


def draw_axes(axes: Axes, panel: Panel, split: str, *, view: str = "raw", limit: float | None = None) -> None:
    """Draw one split of a panel; `limit` fixes the half width of raw axes, which are always equal."""
    if view == "normalized":
        draw_ring(axes, panel, split)
    else:
        draw_plane(axes, panel, split, limit)


def draw_figure(figure: Figure, runs: Sequence[RunView], *, split: str, view: str, projection: str) -> None:
    """One column per run, train above test, at most five of them side by side."""
    panels = [panel_of(run, projection) for run in runs]
    rows = ("train", "test") if split == "both" else (split,)
    for run, name in itertools.product(runs, rows):
        split_of(run, name)
    widest = max(panel.limit for panel in panels)
    lines = caption_lines(panel.subtitle for panel in panels)
    bands, width = grid_shape(len(panels))
    set_size(figure, PANEL * width + 0.4, bands * (_ROW * len(rows) + 0.3 + 0.18 * lines))
    for number, (panel, column) in enumerate(
        zip(panels, run_columns(figure, len(panels), len(rows)), strict=True)
    ):
        title_lines(column[0], panel.title, panel.subtitle, lines)
        for axes, name in zip(column, rows, strict=True):
            draw_axes(axes, panel, name, view=view, limit=widest if panel.limit > _ALIKE * widest else None)
            if number % width == 0:
                axes.set_ylabel(f"{name} features")
    shown = panels if view == "raw" else [panel._replace(centers=None) for panel in panels]
    legend_below(figure, mark_handles(shown, split))
