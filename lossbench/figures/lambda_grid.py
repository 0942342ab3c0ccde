"""Features at each value of a swept setting, as small multiples: class centers as white dots."""

from collections.abc import Sequence

from matplotlib import rcParams
from matplotlib.figure import Figure

from ..records import RunView
from ..specs import FigureSpec, Value
from ._layout import caption_lines, grid_shape, legend_below, panels, set_size, title_lines
from ._plane import draw_plane, mark_handles
from ._projection import panel_of
from ._requirements import split_of
from ._style import PANEL

SPEC = FigureSpec(
    title="λ grid",
    summary="test or train features as small multiples over any swept setting",
    after="Wen et al. 2016, Fig. 3",
    default="settings",
    choices={"split": ("test", "train"), "projection": ("pca", "tsne", "umap")},
)
_ROW = 5  # panels, six where there are more than twenty


def draw_figure(figure: Figure, runs: Sequence[RunView], *, split: str, projection: str) -> None:
    """Runs in the given order, in rows of nearly equal length; of each setting's seeds the first."""
    first: dict[tuple[tuple[str, Value], ...], RunView] = {}
    for run in runs:
        earlier = first.setdefault(key := tuple(sorted(run.settings.items())), run)
        first[key] = min(earlier, run, key=lambda each: each.seed)
    views = [panel_of(run, projection) for run in first.values()]
    for run in runs:
        split_of(run, split)
    several = len({view.title for view in views}) > 1
    lines = caption_lines(view.subtitle for view in views)
    height, width = grid_shape(len(views), _ROW if len(views) <= 4 * _ROW else _ROW + 1)
    row = 0.95 * PANEL + 0.17 * lines + 0.2 * several
    set_size(figure, PANEL * width + 0.2, row * height + 0.3 * (not several))
    for axes, panel in zip(panels(figure, height, width, len(views)), views, strict=True):
        draw_plane(axes, panel, split)  # at its own limits: a strong pull shrinks features a hundredfold
        title_lines(axes, panel.title if several else "", panel.subtitle, lines)
    if not several:
        figure.suptitle(views[0].title, fontsize=rcParams["axes.titlesize"], fontweight="bold")
    legend_below(figure, mark_handles(views, split))
