"""What all figures share: colours, fonts, and marks that stay readable over any cloud of points."""

from __future__ import annotations

from typing import Any

import matplotlib.patheffects as effects
from matplotlib.axes import Axes

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

RC: Any = {  # Any: Matplotlib's stubs list its keys one by one
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "savefig.facecolor": "white",
    "svg.hashsalt": "lossbench",  # the same figure is the same file
    "pdf.fonttype": 42,  # text stays text
}


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
        fontsize=size if len(text) == 1 else 0.75 * size,
        fontweight="bold",
        color=INK,
        zorder=6,
        gid="class-glyph",
        clip_on=True,
        path_effects=[effects.withStroke(linewidth=2.6, foreground="white")],
    )


def point_style(count: int) -> dict[str, Any]:
    """Marker area (points^2) and opacity that keep fifty points visible and sixty thousand readable."""
    area = min(14.0, max(0.5, 1800.0 / max(count, 1) ** 0.8))
    return {"s": area, "alpha": min(0.9, max(0.2, 40.0 / max(count, 1) ** 0.5))}
