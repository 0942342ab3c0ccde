"""What all figures share: colours, fonts, and marks that stay readable over any cloud of points."""

import functools
from typing import Any

import matplotlib.patheffects as effects
import numpy as np
from matplotlib import color_sequences, rcParams
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.text import Text

# M. Petroff, Accessible Color Sequences, 2021, arXiv 2107.02270: made for ten categories that stay apart
# with colour-vision deficiency and in grey
PALETTE = tuple(map(to_hex, color_sequences["petroff10"]))
INK = "#1a1a1a"
FAINT = "#8a8a8a"
RAY = "#b4b4b4"
UNSEEN = "#5a5a5a"  # the edge of shapes of classes that training never saw

_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)

COLORMAP = "viridis"
"""Even in lightness, so that equal steps look equal, also in grey and with colour-vision deficiency."""
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
    "text.parse_math": False,  # a dollar in the name of a class is a dollar
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
_DARK_GROUND, _LIGHT = "#14161a", "#ececec"
_DARK: Any = {
    **{
        f"{part}color": _LIGHT for part in ("text.", "axes.label", "axes.title", "xtick.label", "ytick.label")
    },
    **{f"{part}.facecolor": _DARK_GROUND for part in ("figure", "axes", "savefig")},
    "grid.color": "#4a4e55",
}
STYLES: dict[str, Any] = {"paper": _PAPER, "slides": {**_PAPER, **_SLIDES}, "dark": {**_PAPER, **_DARK}}
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


def color(number: int) -> str:
    """The colour of a class or line, the same whatever others there are."""
    return PALETTE[number] if number < len(PALETTE) else colors(number + 1)[number]


@functools.lru_cache
def colors(count: int) -> tuple[str, ...]:
    """At least ten colours: the palette, then one after another the colour farthest from all before it.

    Farthest in OKLab (Ottosson 2020), among colours that stand out from white and from a dark background;
    the method of Glasbey et al., Colour displays for categorical images, 2007.
    """
    if count <= len(PALETTE):
        return PALETTE
    levels = np.linspace(0, 1, 16)
    candidates = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
    places = _oklab(candidates)
    lightness, chroma = places[:, 0], np.linalg.norm(places[:, 1:], axis=1)
    allowed = (lightness > 0.45) & (lightness < 0.85) & (chroma < 0.25)
    candidates, places = candidates[allowed], places[allowed]
    palette = _oklab(np.array([to_rgb(shade) for shade in PALETTE]))
    distances = np.linalg.norm(places[:, None] - palette, axis=2).min(axis=1)
    added: list[int] = []
    for _ in range(count - len(PALETTE)):
        added.append(int(distances.argmax()))
        distances = np.minimum(distances, np.linalg.norm(places - places[added[-1]], axis=1))
    return (*PALETTE, *(to_hex(candidates[place]) for place in added))


def readable_on(shade: Any) -> Any:
    """Ink or background, whichever stands out more from a colour."""
    return max((ink(), ground()), key=lambda other: contrast(shade, other))


def contrast(a: Any, b: Any) -> float:
    """Ratio of the relative luminances of two colours (WCAG 2.1), 1 to 21."""
    low, high = sorted(float(_linear(np.array(to_rgb(c))) @ (0.2126, 0.7152, 0.0722)) for c in (a, b))
    return (high + 0.05) / (low + 0.05)


def _linear(rgb: np.ndarray) -> np.ndarray:
    """sRGB (..., 3) as linear light."""
    return np.asarray(np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4))


def _oklab(rgb: np.ndarray) -> np.ndarray:
    """sRGB (n, 3) in OKLab, where equal distances look about equally large."""
    cones = np.cbrt(_linear(rgb) @ np.transpose(_CONES))
    return np.asarray(cones @ np.transpose(_LAB))


def note(
    axes: Axes, text: str, place: tuple[float, float], offset: tuple[float, float], frame: Any, **style: Any
) -> None:
    """Text at a place in the coordinates of `frame` (Matplotlib's xycoords), moved by `offset` points."""
    axes.annotate(text, place, offset, xycoords=frame, textcoords="offset points", **style)


def draw_name(axes: Axes, x: float, y: float, text: str, classes: int = 10) -> Text:
    """A class name with a halo: readable over its own cloud, and without colour vision; smaller where there
    are more than ten classes."""
    size = 10 * min(1.0, (10 / classes) ** 0.5)
    return axes.text(
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
        path_effects=[effects.withStroke(linewidth=0.26 * size, foreground=ground())],
    )


def draw_points(axes: Axes, points: np.ndarray, tints: Any, gid: str, count: int, **style: Any) -> None:
    """Points (n, 2) or (n, 3) in these colours, marked as in a cloud of `count` of them."""
    marks: Any = {**point_style(count), **style, "c": tints}
    axes.scatter(*points.T, linewidths=0, rasterized=True, gid=gid, **marks)


def point_style(count: int) -> dict[str, Any]:
    """Area (points^2), opacity and shape of marks: fifty stay visible, sixty thousand readable."""
    area = min(14.0, max(0.5, 2400.0 / max(count, 1) ** 0.8))
    # a dot of two pixels looks the same with twelve corners, and is drawn a third sooner than with curves
    shape = (12, 0) if count > 5000 else "o"
    return {"s": area, "alpha": min(0.9, max(0.2, 40.0 / max(count, 1) ** 0.5)), "marker": shape}
