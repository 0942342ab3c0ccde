"""How every figure looked when somebody last looked at it: marks, lines, colours, fonts, places.

`appearance.json` holds, for each figure, every kind of mark with its style, how many of them there are, and
their mean place and size as shares of the page. UPDATE_DOCS=1 writes it; look at the pictures first.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

from lossbench.figures import budget, critical_difference, forest, scatter
from lossbench.reports import animation
from lossbench.reports.figure_files import render_figure
from lossbench.specs import catalog
from lossbench.statistics import Interval
from tests.figures.views import View, directions, embedding, snapshots

FILE = Path(__file__).with_name("appearance.json")
PLACES = 0.01  # of the page


def runs(**given) -> list[View]:
    plain = View(title="Softmax", subtitle="", seed=1, settings={"loss": "softmax"}, **given)
    return [View(centers=5 * directions(), **given), plain]


def sweep() -> list[View]:
    return [
        View(
            seed=seed,
            settings={"loss": "center", "lambda": lam, "alpha": alpha},
            numbers={"test_accuracy": 0.9 + 0.1 * lam * alpha + 0.01 * seed},
        )
        for lam in (0.1, 0.2) for alpha in (0.3, 0.5) for seed in (0, 1)
    ]  # fmt: skip


def in_space() -> list[View]:
    parts = {"train": embedding(400, dim=3), "test": embedding(200, dim=3, seed=1)}
    return [View(splits=parts, weight=directions(dim=3))]


ANGLES = np.linspace(0, np.pi, 31)
CURVE = (ANGLES, np.cos(np.minimum(ANGLES + 0.5, np.pi)))
PCA = {"projection": "pca"}
OF_RUNS = {
    "angles": (runs(snapshots=snapshots()), {"split": "test"}),
    "attacked": (runs(), {}),
    "confusion": (runs(), {}),
    "curves": (sweep(), {"over": "lambda", "metric": "test_accuracy"}),
    "distances": (runs(), {"split": "test", "view": "raw"}),
    "features": (runs(), {"split": "both", "view": "raw", **PCA}),
    "hardest": (runs(pictures=np.zeros((200, 8, 8), np.uint8)), {}),
    "heatmap": (sweep(), {"over": "lambda,alpha", "metric": "test_accuracy"}),
    "lambda-grid": (sweep(), {"split": "test", **PCA}),
    "leaderboard": (sweep(), {"metric": "test_accuracy"}),
    "loss-surface": (runs(), {"split": "test", "label": ""}),
    "regions": (runs(), {"split": "test"}),
    "ring": (runs(), {"split": "test"}),
    "roc": (runs(), {"split": "test"}),
    "sphere": (in_space(), {"split": "test"}),
    "target-logits": (runs(curve=CURVE), {}),
    "training": (runs(), {}),
}
NAMES = ["softmax", "arcface", "center", "triplet", "ring"]
OTHERS: dict[str, Callable[[Figure], None]] = {
    "animation": lambda figure: [figure.subplots(), animation._draw_progress(figure, 1.5, 4.0)][0],
    "budget": partial(
        budget.draw_figure,
        lines=[budget.Line("Center", np.array([90.0, 95, 60]), np.array([90.0, 95, 95]))],
        ylabel="validation accuracy (%)",
        higher_is_better=True,
    ),
    "critical-difference": partial(
        critical_difference.draw_figure,
        names=NAMES,
        ranks=np.array([3.0, 1.5, 2.25, 4.75, 3.5]),
        groups=[(1, 2), (0, 2, 4)],
        xlabel="mean rank",
    ),
    "forest": partial(
        forest.draw_figure,
        rows=[
            forest.Row("arcface", np.array([0.1, 0.2, 0.3]), 0.2, 0.05, 0.35, "better", "99.13 (3/3)"),
            forest.Row("center", np.array([-0.1, 0.2]), 0.05, -0.2, 0.3, "not distinguishable"),
            forest.Row("triplet", np.array([-0.5, -0.5, -0.2]), -0.4, -0.6, -0.2, "worse"),
        ],
        baseline="Softmax",
        unit="test accuracy (percentage points)",
    ),
    "scatter": partial(
        scatter.draw_figure,
        panels=[
            scatter.Panel(
                [
                    scatter.Point(name, Interval(20 + n, 0.5, 5), Interval(0.92 + n / 100, 0.01, 5), n % 2)
                    for n, name in enumerate(NAMES)
                ],
                scatter.Axis("seconds", -1),
                scatter.Axis("MAP@R", 1, (0, 1)),
            )
        ],
        names=("of angles", "of distances"),
        diagonal=True,
    ),
}


def crowd() -> list[scatter.Point]:
    """Points so close to one another that few places are left for their names."""
    random = np.random.RandomState(0)
    places = zip(random.normal(25, 1, 90), random.normal(0.95, 0.01, 90), strict=True)
    return [
        scatter.Point(f"loss-{n}", Interval(x, 0.1, 5), Interval(y, 0.001, 5), n % 2)
        for n, (x, y) in enumerate(places)
    ]


WORDS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
CROWDED: dict[str, Callable[[Figure], None]] = {
    "features": partial(
        catalog.load("figures", "features"),
        runs=[View(class_names=WORDS, splits={"train": embedding(), "test": embedding(noise=3.0)})] * 4,
        split="test",
        view="raw",
        **PCA,
    ),
    "regions": partial(
        catalog.load("figures", "regions"),
        runs=[View(title=f"Loss {number}") for number in range(7)],
        split="test",
    ),
    "scatter": partial(
        scatter.draw_figure,
        panels=[scatter.Panel(crowd(), scatter.Axis("seconds", -1), scatter.Axis("MAP@R", 1, (0, 1)))],
        names=("of angles", "of distances"),
    ),
    "training": partial(
        catalog.load("figures", "training"),
        runs=[View(settings={"loss": "center", "lambda": float(count)}) for count in range(12)],
    ),
}
"""Figures that show so much that they have to make room for it."""


def composed(name: str) -> Callable[[Figure], None]:
    if name in OTHERS:
        return OTHERS[name]
    if name.startswith("crowded "):
        return CROWDED[name.removeprefix("crowded ")]
    shown, choices = OF_RUNS[name]
    return lambda figure: catalog.load("figures", name)(figure, shown, **choices)


def shade(color: Any) -> str:
    """A colour as text, its opacity only where it is not opaque."""
    text = to_hex(color, keep_alpha=True)
    return "none" if text.endswith("00") else text.removesuffix("ff")


def shades(colors: np.ndarray) -> str:
    """A few colours by name, many by their number."""
    different = sorted({shade(color) for color in colors})
    return ",".join(different) if len(different) <= 3 else f"{len(different)} colours"


def numbers(*values: float) -> str:
    return " ".join(f"{value:.3g}" for value in values)


def of_text(text: Text) -> str:
    words = text.get_text()
    bare = words.replace("−", "").replace(".", "").replace("%", "").replace(" ", "")
    words = "a number" if bare.isdigit() else repr(words)
    font = f"{numbers(text.get_fontsize())} {text.get_fontweight()} {shade(text.get_color())}"
    halo = "".join(f" halo {numbers(effect._gc['linewidth'])}" for effect in text.get_path_effects())
    return f"{words}, {font} {text.get_ha()} {text.get_va()}{halo}" * bool(bare)


def of_line(line: Any) -> str:
    dashes = line._unscaled_dash_pattern[1] or line.get_linestyle()
    marks = ""
    if line.get_marker() != "None":
        edge = f"{numbers(line.get_markeredgewidth())} {shade(line.get_markeredgecolor())}"
        fill = f"{numbers(line.get_markersize())} {shade(line.get_markerfacecolor())}"
        marks = f", marks {line.get_marker()} {fill} edge {edge}"
    style = f"{dashes} {numbers(line.get_linewidth())} {shade(line.get_color())}"
    return f"{style}{marks}, {len(line.get_xdata())} points"


def of_collection(marks: Any) -> str:
    sizes = np.unique(getattr(marks, "get_sizes", list)())
    edge = f"{shades(marks.get_edgecolor())} {numbers(*np.unique(marks.get_linewidth()))}"
    counts = f"{len(marks.get_offsets())} places, {len(marks.get_paths())} paths"
    return f"{shades(marks.get_facecolor())} edge {edge}, sizes {numbers(*sizes)}, {counts}"


def of_patch(patch: Patch) -> str:
    edge = f"{shade(patch.get_edgecolor())} {patch.get_linestyle()} {numbers(patch.get_linewidth())}"
    return f"{shade(patch.get_facecolor())} edge {edge}"


def of_image(image: Any) -> str:
    shape = image.get_array().shape
    limits = f"{image.get_cmap().name} {numbers(*image.get_clim())}" if len(shape) == 2 else "RGB"
    return f"{'x'.join(map(str, shape))} {limits} {image.get_interpolation()}"


STYLES: dict[type, Callable[[Any], str]] = {
    Text: of_text, Line2D: of_line, Collection: of_collection, Patch: of_patch, AxesImage: of_image,
    Axes: lambda axes: "panel",
}  # fmt: skip


def drawn(artist: Artist) -> Iterator[Artist]:
    """The artist and what it holds, but for what is not seen."""
    if artist.get_visible():
        yield artist
        for child in artist.get_children():
            yield from drawn(child)


def box_of(artist: Any) -> np.ndarray:
    """Left and lower edge, width and height in pixels; zeros for what has no place."""
    if not isinstance(artist, Collection):
        bounds = np.array(artist.get_window_extent().bounds)
        return np.where(np.isfinite(bounds).all(), bounds, 0)
    # the extent of a collection is that of all it draws into
    if hasattr(artist, "get_sizes") and len(artist.get_sizes()):
        points = artist.get_offset_transform().transform(artist.get_offsets())
    else:
        lines = [path.vertices for path in artist.get_paths()]
        points = artist.get_transform().transform(np.concatenate(lines or [np.zeros((0, 2))]))
    points = np.ma.filled(points, np.nan)
    points = points[np.isfinite(points).all(axis=1)]
    return np.concatenate([points.min(axis=0), np.ptp(points, axis=0)]) if len(points) else np.zeros(4)


def appearance(figure: Figure) -> dict[str, list[float]]:
    """Every kind of mark: how many, and mean left and lower edge, width and height as shares of the page."""
    page = figure.bbox.size
    boxes = defaultdict(list)
    for artist in drawn(figure):
        describe = next((text for kind, text in STYLES.items() if isinstance(artist, kind)), None)
        if describe and (style := describe(artist)):
            alpha = "" if artist.get_alpha() is None else f"opacity {artist.get_alpha():.3g}"
            part = re.sub(r"\d+", "N", artist.get_gid() or "")
            parts = type(artist).__name__, part, style, alpha, f"order {artist.get_zorder():g}"
            boxes[" ".join(filter(None, parts))].append(box_of(artist) / np.tile(page, 2))
    size = {"inches": [round(float(side), 3) for side in figure.get_size_inches()]}
    return size | {
        name: [len(each), *np.round(np.mean(each, axis=0), 3).tolist()] for name, each in boxes.items()
    }


DRAWN = (*catalog.names("figures"), "animation", *(f"crowded {name}" for name in CROWDED))
PAPER = [(name, "paper") for name in DRAWN]


@pytest.mark.parametrize(("name", "style"), [*PAPER, ("training", "slides"), ("training", "dark")])
def test_a_figure_looks_as_when_it_was_looked_at(name: str, style: str) -> None:
    found = appearance(render_figure(composed(name), style))
    kept = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
    title = name if style == "paper" else f"{name}, {style}"
    if os.environ.get("UPDATE_DOCS"):
        kept[title] = found
        FILE.write_text(as_text(kept), "utf-8")
    assert found == {kind: pytest.approx(values, abs=PLACES) for kind, values in kept[title].items()}


def as_text(kept: dict[str, dict[str, list[float]]]) -> str:
    """JSON with a line for each kind of mark."""
    figures = []
    for name in sorted(kept):
        lines = ",\n".join(
            f"    {json.dumps(kind, ensure_ascii=False)}: {json.dumps(values)}"
            for kind, values in sorted(kept[name].items())
        )
        figures.append(f"  {json.dumps(name)}: {{\n{lines}\n  }}")
    return "{\n" + ",\n".join(figures) + "\n}\n"
