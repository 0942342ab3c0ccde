"""Stored runs as one page to explore: features, moments, images and errors, linked, in a single file.

The page is `page.html` with its style and script, BokehJS for the plots, and the runs as data,
see `data`. Nothing is ever fetched, and the page's own security policy forbids it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ...errors import UsageError
from ...figures import UNSEEN, colors
from ...records import RunView
from ..generated_files import check_generated, with_digest, write_generated
from .data import run_data, run_labels

if TYPE_CHECKING:
    from bokeh.models import ColumnDataSource, LinearColorMapper, Tool
    from bokeh.plotting import figure

_CELL = 2  # degrees of one bar of the histogram of angles


def explore(runs: Sequence[RunView], path: Path) -> Path:
    """Write the page of these runs. Returns the path.

    Raises UsageError without Bokeh, RunError or DataError for a run without features or images.
    """
    check_generated(path)  # before the time that the page takes
    write_generated(path, with_digest(page(runs).encode()))
    return path


def page(runs: Sequence[RunView]) -> str:
    """The page of these runs as HTML; see `explore`."""
    try:
        from bokeh.embed import json_item
        from bokeh.resources import Resources
        from jinja2 import Environment
        from markupsafe import Markup
    except ImportError:
        raise UsageError("The page needs Bokeh: pip install 'lossbench[explore]'.") from None
    sprites: dict[str, dict[str, Any]] = {}
    names = run_labels(runs)
    palette = colors(max(len(run.class_names) for run in runs))
    data = {
        "runs": [run_data(run, sprites) | {"label": name} for run, name in zip(runs, names, strict=True)],
        "sprites": list(sprites.values()),
        "palette": palette,
        "cell": _CELL,
        "plots": {
            "plane": json_item(_plane(palette)),
            "plane2": json_item(_plane(palette)),
            "histogram": json_item(_histogram(palette)),
        },
    }
    text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return (
        Environment(autoescape=True)
        .from_string(_file("page.html"))
        .render(
            title=", ".join(dict.fromkeys(run.title for run in runs)),
            style=Markup(_file("page.css")),
            script=Markup(_file("page.js")),
            bokeh=Markup(Resources(mode="inline", components=["bokeh", "bokeh-gl"]).render_js()),
            data=Markup(text.replace("<", "\\u003c")),  # whatever a user typed cannot end the script
        )
    )


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _plot(name: str, backend: Literal["canvas", "webgl"], tools: Sequence[Tool] = ()) -> figure:
    from bokeh.models import Range1d
    from bokeh.plotting import figure

    return figure(
        name=name,
        tools=list(tools),
        toolbar_location=None,
        sizing_mode="stretch_both",
        output_backend=backend,
        x_range=Range1d(start=-1, end=1),
        y_range=Range1d(start=-1, end=1),
        min_border=2,
        min_border_right=12,
        min_border_left=44,  # room for any number: the frame keeps its width, and the axes equal units
        border_fill_color=None,  # until the script knows the theme: what was painted leaves a shade at edges
        background_fill_color=None,
        outline_line_color=None,
    )


def _class_colors(palette: Sequence[str]) -> LinearColorMapper:
    from bokeh.models import LinearColorMapper

    return LinearColorMapper(palette=palette, low=-0.5, high=len(palette) - 0.5)


def _source(name: str, *columns: str) -> ColumnDataSource:
    from bokeh.models import ColumnDataSource

    return ColumnDataSource({column: [] for column in columns}, name=name)


def _plane(palette: Sequence[str]) -> figure:
    """The plot of features; the script finds sources and layers by name, fills them and colours them."""
    from bokeh.models import PanTool, WheelZoomTool

    wheel = WheelZoomTool(zoom_on_axis=False)
    plot = _plot("plane", "webgl", [PanTool(), wheel])
    plot.toolbar.active_scroll = wheel
    mapper = _class_colors(palette)
    regions = _source("areas", "image", "x", "side")
    regions.data = {"image": [np.zeros((1, 1), np.uint8)], "x": [0], "side": [0]}
    tint: dict[str, Any] = {"color_mapper": mapper, "global_alpha": 0.22}  # Any: its stubs lack these
    plot.image("image", "x", "x", "side", "side", source=regions, name="areas-layer", **tint)
    plot.ray(0, 0, 0, "angle", source=_source("weights", "angle"), name="weights-layer")
    for name, edge in (("points", None), ("unseen", UNSEEN)):
        look: dict[str, Any] = {"fill_color": {"field": "color", "transform": mapper}, "line_color": edge}
        look |= {} if edge is None else {"marker": "shape"}
        points = _source(name, "x", "y", "color", "shape")
        plot.scatter("x", "y", source=points, name=f"{name}-layer", **look)
    for name, size in (("centers", 9), ("pinned", 15)):
        plot.scatter("x", "y", size=size, line_width=2, source=_source(name, "x", "y"), name=f"{name}-layer")
    style: dict[str, Any] = {"padding": 2, "border_radius": 6, "background_fill_alpha": 0.7}
    style |= {"text_baseline": "middle", "text_font_style": "bold"}
    plot.text("x", "y", "text", source=_source("names", "x", "y", "text"), name="names-layer", **style)
    return plot


def _histogram(palette: Sequence[str]) -> figure:
    """Bars of angles, stacked by class."""
    plot = _plot("histogram", "canvas")
    edges = ("left", "right", "bottom", "top")
    look: dict[str, Any] = {"fill_color": {"field": "color", "transform": _class_colors(palette)}}
    plot.quad(*edges, source=_source("bars", *edges, "color"), line_color=None, **look)
    return plot
