"""What all figures share: colours, fonts, and marks that stay readable over any cloud of points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.patheffects as effects
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Matplotlib's petroff10 (M. Petroff, Accessible Color Sequences, 2021, arXiv 2107.02270): made for ten
# categories that stay apart with colour-vision deficiency and in grey. Written out: it is older than 3.10.
PALETTE = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6",
    "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip
INK = "#1a1a1a"
FAINT = "#8a8a8a"
RAY = "#b4b4b4"
UNSEEN = "#5a5a5a"  # the edge of shapes of classes that training never saw

PANEL = 2.0  # inches: three panels shrunk to 400 px still have readable digits

_PAPER: Any = {  # Any: Matplotlib's stubs list its keys one by one
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": RAY,
    "legend.frameon": False,
    "savefig.facecolor": "white",
    "svg.hashsalt": "lossbench",  # the same figure is the same file
    "pdf.fonttype": 42,  # text stays text
}
_SLIDES: Any = {
    "font.size": 12,
    "axes.titlesize": 14,
    "axes.labelsize": 12.5,
    "axes.linewidth": 1.1,
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
    "lines.linewidth": 2.2,
}
_NIGHT, _LIGHT = "#14161a", "#ececec"
_DARK: Any = {
    **{
        f"{part}color": _LIGHT for part in ("text.", "axes.label", "axes.title", "xtick.label", "ytick.label")
    },
    **{f"{part}.facecolor": _NIGHT for part in ("figure", "axes", "savefig")},
    "grid.color": "#4a4e55",
}
STYLES: dict[str, Any] = {
    "paper": _PAPER,
    "slides": {**_PAPER, **_SLIDES},
    "dark": {**_PAPER, **_DARK},
}
"""Matplotlib settings by style; figures take ink, rays and background from the settings in force."""


def ink() -> Any:
    """The colour of text and marks that belong to no class."""
    return rcParams["text.color"]


def ray() -> Any:
    """The colour of what stays behind everything: rays, grids, reference lines."""
    return rcParams["grid.color"]


def ground() -> Any:
    """The colour of the background: halos, dots on top of clouds."""
    return rcParams["axes.facecolor"]


def set_size(figure: Figure, width: float, height: float) -> None:
    """Size a figure in inches at the paper's fonts; with larger fonts it grows a little less than they."""
    grown = (rcParams["font.size"] / 9) ** 0.6
    figure.set_size_inches(grown * width, grown * height)


def title_lines(axes: Axes, title: str, lines: Sequence[str], height: int) -> None:
    """A bold title above small lines, `height` of them at most in any panel of the row."""
    pitch = 4 / 3 * rcParams["font.size"]
    axes.set_title(title, fontweight="bold", pad=4 + pitch * height)
    for row, line in enumerate(reversed(lines)):
        axes.annotate(
            line,
            (0.5, 1),
            (0, 4 + pitch * row),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="center",
            fontsize="medium",
        )


def color(label: int) -> str:
    """The colour of a class; beyond ten they repeat, and the glyphs tell them apart."""
    return PALETTE[label % len(PALETTE)]


def glyph(axes: Axes, x: float, y: float, text: str, size: float = 10) -> None:
    """A class name with a white halo: readable over its own cloud, and without colour vision."""
    axes.text(
        x,
        y,
        text,
        ha="center",
        va="center",
        fontsize=size * rcParams["font.size"] / 9 * (1 if len(text) == 1 else 0.75),
        fontweight="bold",
        color=ink(),
        zorder=6,
        gid="class-glyph",
        clip_on=True,
        path_effects=[effects.withStroke(linewidth=2.6, foreground=ground())],
    )


def point_style(count: int) -> dict[str, Any]:
    """Area (points^2), opacity and shape of marks: fifty stay visible, sixty thousand readable."""
    area = min(14.0, max(0.5, 1800.0 / max(count, 1) ** 0.8))
    # a dot of two pixels looks the same with twelve corners, and is drawn a third sooner than with curves
    shape = (12, 0) if count > 5000 else "o"
    return {"s": area, "alpha": min(0.9, max(0.2, 40.0 / max(count, 1) ** 0.5)), "marker": shape}
