"""Colours that readers can tell apart, measured; styles that every figure can be drawn in."""

from __future__ import annotations

import importlib

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lossbench.figures import _layout, _style, distances, features, loss_surface, regions, ring
from lossbench.figures._style import PALETTE, STYLES
from lossbench.reports.figure_files import render_figure
from lossbench.specs import catalog
from tests.figures.views import View, directions, embedding

TAB10 = tuple(mpl.colormaps["tab10"].colors)
RED_GREEN = ("#d62728", "#2ca02c")  # the fourth and the third of them
XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip
DEUTERANOPIA = np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]])  # fmt: skip
"""Machado, Oliveira, Fernandes 2009, severity 1, of linear RGB."""
PROTANOPIA = np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]])  # fmt: skip


def linear(colors):
    srgb = np.array([to_rgb(color) for color in colors])
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """CIELAB under D65 of linear RGB (n, 3)."""
    xyz = rgb @ XYZ.T / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def nearest(colors, vision=None):
    """The smallest CIELAB distance of two of the colours, as a reader with this vision sees them."""
    seen = linear(colors) if vision is None else (linear(colors) @ vision.T).clip(0, 1)
    points = lab(seen)
    return np.linalg.norm(points[:, None] - points[None], axis=2)[np.triu_indices(len(colors), 1)].min()


def luminance(color):
    return float(linear([color])[0] @ XYZ[1])


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_distances_are_those_of_known_colours():
    np.testing.assert_allclose(lab(linear(["white"]))[0], [100, 0, 0], atol=0.02)
    np.testing.assert_allclose(lab(linear(["red"]))[0], [53.24, 80.09, 67.20], atol=0.05)
    assert contrast("white", "black") == pytest.approx(21)


FLOORS = {"everyone": (None, 18), "deuteranopia": (DEUTERANOPIA, 16), "protanopia": (PROTANOPIA, 17)}
"""Just below what the palette has: 19.3, 17.6, 18.5."""


@pytest.mark.parametrize("reader", FLOORS)
def test_all_ten_colours_stay_apart(reader):
    vision, floor = FLOORS[reader]
    assert nearest(PALETTE, vision) > floor


def test_colours_that_are_known_to_fail_fail():
    vision, floor = FLOORS["deuteranopia"]
    assert nearest(TAB10, vision) < floor / 2
    assert nearest(RED_GREEN, vision) < floor / 2 < nearest(RED_GREEN) / 12  # for other readers far apart
    assert nearest((*PALETTE[:9], PALETTE[0])) == 0


def lightness_steps(colors):
    return np.diff(np.sort(lab(linear(colors))[:, 0]))


def test_grey_tells_most_colours_apart_and_the_glyphs_tell_all_classes():
    """Blue and orange, 0 and 6, are one grey: lightness alone never carries ten classes."""
    steps = lightness_steps(PALETTE)
    assert steps.sum() > 40
    assert (steps > 2).sum() == 8
    assert (lightness_steps(TAB10) > 2).sum() < 8
    part = embedding(100)
    run = View(splits={"train": part, "test": part})
    draw_figure = catalog.load("figures", "features")
    figure = render_figure(
        lambda figure: draw_figure(figure, [run], split="test", view="raw", projection="pca")
    )
    glyphs = [text for text in figure.axes[0].texts if text.get_gid() == "class-glyph"]
    assert sorted(text.get_text() for text in glyphs) == list("0123456789")
    halo = glyphs[0].get_path_effects()[0]
    assert halo._gc["foreground"] == "white"  # readable over its own cloud


def test_the_name_of_a_class_beyond_the_limits_is_not_drawn_over_what_is_beside_the_axes():
    figure = Figure(figsize=(4, 2), dpi=50)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 0.5, 1), xlim=(-1, 1), ylim=(-1, 1), xticks=[], yticks=[])
    _style.draw_name(axes, 0, 0, "7")
    _style.draw_name(axes, 2, 0, "8")
    canvas.draw()
    ink = (np.asarray(canvas.buffer_rgba())[:, :, :3] < 128).all(axis=2)
    assert ink[20:80, 20:80].any() and not ink[:, 105:].any()


@pytest.mark.parametrize("style", STYLES)
def test_text_is_readable_in_every_style(style):
    with mpl.rc_context(STYLES[style]):
        ink, ground, ray = _style.ink(), _style.ground(), _style.ray()
        assert contrast(ink, ground) >= 4.5  # WCAG 2.1, 1.4.3
        for key in ("axes.labelcolor", "axes.titlecolor", "xtick.labelcolor", "ytick.labelcolor"):
            assert contrast(mpl.rcParams[key], ground) >= 4.5
        assert ground == mpl.rcParams["figure.facecolor"] == mpl.rcParams["savefig.facecolor"]
        assert 1.3 < contrast(ray, ground) < contrast(ink, ground) / 2  # seen, and behind everything


def drawn_from_runs():
    specs = {name: catalog.spec("figures", name) for name in catalog.names("figures")}
    return [name for name, spec in specs.items() if spec.drawn_from == "runs"]


@pytest.mark.parametrize("style", STYLES)
def test_glyphs_and_dots_take_the_colours_of_the_style(style):
    run = View(centers=View().weight * 5)
    draw_figure = catalog.load("figures", "features")
    figure = render_figure(
        lambda figure: draw_figure(figure, [run], split="test", view="raw", projection="pca"), style
    )
    with mpl.rc_context(STYLES[style]):
        ink, ground = to_rgb(_style.ink()), to_rgb(_style.ground())
    axes = figure.axes[0]
    dots = next(child for child in axes.get_children() if child.get_gid() == "centers")
    np.testing.assert_allclose(dots.get_facecolors()[0, :3], ground)
    assert to_rgb(figure.get_facecolor()) == ground
    for text in axes.texts:
        if text.get_gid() == "class-glyph":
            assert to_rgb(text.get_color()) == ink


def test_larger_fonts_make_a_larger_page():
    def draw(figure):
        _layout.set_size(figure, 4, 2)
        figure.subplots()

    sizes = {}
    for style in STYLES:
        figure = render_figure(draw, style)
        sizes[style] = tuple(figure.get_size_inches())
    assert sizes["paper"] == sizes["dark"] == (4, 2)
    assert 4 < sizes["slides"][0] < 4 * STYLES["slides"]["font.size"] / STYLES["paper"]["font.size"]


def test_a_legend_has_as_many_columns_as_fit_and_the_page_grows_by_its_rows():
    grown = {}
    for count in (1, 2, 5):
        figure = Figure(figsize=(7.5, 3))  # room for two columns
        _layout.legend_below(figure, [Line2D([], [], label=f"mark {n}") for n in range(count)])
        grown[count] = figure.get_figheight() - 3, figure.legends[0]._ncols
        assert figure.get_figwidth() == 7.5
    assert [columns for _, columns in grown.values()] == [1, 2, 2]
    assert grown[1] == pytest.approx((grown[2][0], 1))
    assert 2 * grown[2][0] < grown[5][0] < 3 * grown[2][0]  # three rows, and one margin


@pytest.mark.parametrize("count", [1, 7])
@pytest.mark.parametrize(
    ("name", "choices", "side"),
    [
        ("ring", {"split": "test"}, 2.55),
        ("lambda-grid", {"split": "test", "projection": "pca"}, 1.5),
        ("features", {"split": "test", "view": "raw", "projection": "pca"}, 1.65),
        ("angles", {"split": "test"}, 1.65),
    ],
)
def test_panels_keep_their_size_however_many_there_are(name, choices, side, count):
    """In inches, once titles and labels have their place."""
    runs = [View(title=f"loss {n}", settings={"loss": "center", "lambda": n}) for n in range(count)]
    figure = render_figure(lambda f: catalog.load("figures", name)(f, runs, **choices), "paper")
    sizes = [axes.get_window_extent().size / figure.dpi for axes in figure.axes if axes.get_visible()]
    assert len(sizes) >= count
    legend = 3.8 if count == 1 else 0  # one panel is as wide as the legend below it
    assert side < np.min(sizes) and np.max(sizes) < max(1.6 * side, legend)


def test_long_captions_take_a_line_more_and_not_the_room_of_the_panels():
    settings = "arcface m = 0.3, s = 16, λ = 0.1, triplet m = 0.5, soft start = 0"
    sizes = []
    for subtitle in ("m = 1", settings):
        runs = [View(subtitle=subtitle, settings={"lambda": n}) for n in range(2)]
        figure = render_figure(
            lambda f, runs=runs: catalog.load("figures", "lambda-grid")(
                f, runs, split="test", projection="pca"
            )
        )
        sizes.append(figure.axes[0].get_window_extent().width)
    assert sizes[1] > 0.7 * sizes[0]
    shown = [text.get_text() for text in figure.axes[0].texts]
    assert {"arcface m = 0.3, s = 16, λ = 0.1,", "triplet m = 0.5, soft start = 0"} < {*shown}


def test_no_figure_has_a_text_colour_of_its_own():
    """A module that names black or white, or INK, cannot follow the style."""
    for name in drawn_from_runs():
        module = importlib.import_module(f"lossbench.figures.{name.replace('-', '_')}")
        assert not hasattr(module, "INK"), name


def test_colours_beyond_ten_stay_apart_and_those_before_keep_theirs():
    assert _style.colors(3) == _style.colors(10) == PALETTE
    assert _style.colors(25)[:10] == PALETTE
    assert _style.colors(40)[:25] == _style.colors(25)
    assert _style.color(3) == PALETTE[3] and _style.color(24) == _style.colors(25)[24]
    assert nearest(_style.colors(25)) > 10
    assert nearest(_style.colors(40)) > 8
    for shade in _style.colors(40)[10:]:
        assert contrast(shade, "white") > 1.3 and contrast(shade, STYLES["dark"]["axes.facecolor"]) > 1.8


def test_points_shrink_with_their_number():
    sizes = [_style.point_style(count)["s"] for count in (1, 50, 1000, 60_000)]
    assert sizes == sorted(sizes, reverse=True)
    assert 0 < sizes[-1] <= 1
    assert [_style.point_style(count)["alpha"] for count in (1, 10_000, 60_000)] == [0.9, 0.4, 0.2]
    assert sizes[0] == 14 and _style.point_style(10_000)["s"] == pytest.approx(1.514, abs=1e-3)


@pytest.mark.parametrize(("name", "classes", "size"), [("3", 10, 10), ("boot", 10, 7.5), ("3", 40, 5)])
def test_names_are_smaller_where_there_are_many_or_long_ones(name, classes, size):
    with mpl.rc_context(STYLES["paper"]):
        axes = Figure().subplots()
        _style.draw_name(axes, 0, 0, name, classes)
    assert axes.texts[0].get_fontsize() == pytest.approx(size)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("draw", "runs", "choices"),
    [
        (features.draw_figure, 1, {"split": "test", "view": "raw", "projection": "pca"}),
        (regions.draw_figure, 1, {"split": "test"}),
        (regions.draw_figure, 3, {"split": "test"}),
        (distances.draw_figure, 1, {"split": "test", "view": "raw"}),
        (loss_surface.draw_figure, 1, {"split": "test", "label": "0"}),
        (ring.draw_figure, 2, {"split": "test"}),
    ],
)
def test_nothing_is_cropped_at_the_edge_of_the_page(draw, runs, choices, style):
    figure = render_figure(lambda figure: draw(figure, [View(centers=directions())] * runs, **choices), style)
    page, drawn = figure.get_size_inches(), figure.get_tightbbox()
    assert (drawn.min >= 0.03).all() and (drawn.max <= page - 0.03).all()


@pytest.mark.parametrize("count", [1, 6])
def test_no_page_is_empty_above_its_panels(count):
    choices = {"split": "test", "projection": "pca"}
    runs = [View(title=f"loss {n}", settings={"loss": "center", "lambda": n}) for n in range(count)]
    figure = render_figure(lambda figure: catalog.load("figures", "lambda-grid")(figure, runs, **choices))
    assert figure.get_figheight() - figure.get_tightbbox().y1 < 0.15
