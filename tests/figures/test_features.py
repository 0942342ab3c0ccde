"""The feature figure, asked through its artists: positions, colours, limits, glyphs."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lossbench.errors import RunError
from lossbench.figures import Panel, features, first_visible, plane_limit
from lossbench.figures._style import PALETTE, PANEL, UNSEEN, point_style
from lossbench.records import Embedding
from lossbench.reports.figure_files import render_figure
from tests.figures.views import View, directions, embedding


def panel(count: int = 200, centers: bool = True, noise: float = 0.1) -> Panel:
    random = np.random.RandomState(0)
    labels = np.arange(count) % 10
    angles = 2 * np.pi * labels / 10
    means = 5 * np.column_stack([np.cos(angles), np.sin(angles)])
    points = (means + noise * random.randn(count, 2)).astype(np.float32)
    own = np.array([points[labels == j].mean(axis=0) for j in range(10)])
    split = Embedding(points, labels, labels)
    names = tuple("0123456789")
    return Panel("T", "s", {"train": split, "test": split}, names, own, own if centers else None)


def axes_of(**options):
    axes = Figure().subplots()
    shown = panel(**{k: options.pop(k) for k in ("count", "centers") if k in options})
    features.draw_axes(axes, shown, "test", **options)
    return axes, shown


def artists(axes, gid):
    return [artist for artist in axes.get_children() if artist.get_gid() == gid]


def test_every_point_is_drawn_in_the_colour_of_its_class():
    axes, shown = axes_of()
    (cloud,) = artists(axes, "features")
    offsets = np.asarray(cloud.get_offsets())
    assert len(offsets) == 200
    colors = cloud.get_facecolors()[:, :3]
    points, labels = shown.splits["test"][:2]
    for point, label in zip(points[::17], labels[::17], strict=True):
        place = np.abs(offsets - point).sum(axis=1).argmin()
        np.testing.assert_allclose(offsets[place], point, atol=1e-6)
        np.testing.assert_allclose(colors[place], to_rgb(PALETTE[label]), atol=1e-6)
    assert cloud.get_rasterized()


def test_axes_are_equal_and_hold_everything():
    axes, shown = axes_of()
    assert axes.get_aspect() == 1
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    assert right - left == pytest.approx(high - low)
    assert np.abs(shown.splits["test"].features).max() < right * 1.2
    assert np.abs(shown.centers).max() < right


def test_each_class_has_its_glyph_near_its_mean():
    axes, shown = axes_of()
    glyphs = {artist.get_text(): artist.get_position() for artist in artists(axes, "class-glyph")}
    assert sorted(glyphs) == list("0123456789")
    points, labels = shown.splits["test"][:2]
    for label in range(10):
        distance = np.linalg.norm(points[labels == label].mean(axis=0) - glyphs[str(label)])
        assert distance < 1.0


@pytest.mark.parametrize("centers", [False, True])
@pytest.mark.parametrize("noise", [0.0, 0.01, 0.1, 0.3])
def test_names_do_not_hide_small_clusters(noise, centers):
    """Nor the dots of their centers; every name stays inside the axes."""
    figure = Figure(figsize=(2, 2), dpi=120)
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    shown = panel(2000, centers, noise)
    features.draw_axes(axes, shown, "test")
    figure.draw_without_rendering()
    points, labels = shown.splits["test"][:2]
    places = axes.transData.transform(points)
    for glyph in artists(axes, "class-glyph"):
        box, own = glyph.get_window_extent(), places[labels == int(glyph.get_text())]
        hidden = [box.contains(x, y) for x, y in own]
        assert np.mean(hidden) < 0.5
        assert axes.bbox.contains(box.x0, box.y0) and axes.bbox.contains(box.x1, box.y1)
        if centers:
            assert not box.contains(*axes.transData.transform(shown.centers[int(glyph.get_text())]))


def test_names_stay_with_the_features_where_centers_are_far_from_them():
    axes = Figure().subplots()
    shown = panel()._replace(centers=np.zeros((10, 2)))
    features.draw_axes(axes, shown, "test")
    points, labels = shown.splits["test"][:2]
    for glyph in artists(axes, "class-glyph"):
        mean = points[labels == int(glyph.get_text())].mean(axis=0)
        assert np.linalg.norm(mean - glyph.get_position()) < 1.5


def test_a_few_far_points_do_not_shrink_the_others():
    shown = panel(2000, centers=False)
    points, labels = shown.splits["test"][:2]
    points = points.copy()
    points[:8] *= 20  # 0.4 %
    far = shown._replace(splits={"test": Embedding(points, labels, labels)}, weight=None)
    assert far.limit == pytest.approx(panel(2000, centers=False).limit, rel=0.05)


@pytest.mark.parametrize(
    ("far", "centers", "limit"),
    [
        (4, None, 1.08),  # 0.4 %
        (6, None, 1.08 * 9),
        (0, [[2, -3], [np.nan, np.nan]], 1.08 * 3),
        (0, [[np.nan, np.nan]], 1.08),
    ],
)
def test_axes_show_all_but_half_a_percent_and_all_centers(far, centers, limit):
    points = np.tile([1.0, -0.5], (1000, 1))
    points[:far] *= 9
    given = None if centers is None else np.array(centers, dtype=float)
    assert plane_limit([points, points / 2], given) == pytest.approx(limit)
    assert plane_limit([0 * points], None) == 1


@pytest.mark.parametrize(
    ("reaches", "first"), [((0, 0.05, 0.2, 1), 1), ((0.2, 1), 0), ((0, 0.05), 0), ((0, 0.1, 0.11), 1)]
)
def test_the_moment_before_features_leave_the_middle_tenth_is_the_first_to_be_seen(reaches, first):
    moments = [reach * np.array([[1.0, -0.5]] * 200) for reach in reaches]
    moments[1][:1] *= 50  # half a percent may be far off
    assert first_visible(moments, 1.0) == first


def test_centers_are_white_dots_and_weights_are_rays():
    axes, shown = axes_of()
    (dots,) = artists(axes, "centers")
    np.testing.assert_allclose(np.asarray(dots.get_offsets()), shown.centers, atol=1e-6)
    np.testing.assert_allclose(dots.get_facecolors()[0, :3], 1.0)
    for label in range(10):
        (ray,) = artists(axes, f"weight-{label}")
        end = ray.get_xydata()[1]
        cosine = end @ shown.weight[label] / np.linalg.norm(end) / np.linalg.norm(shown.weight[label])
        assert cosine == pytest.approx(1)


def test_normalized_view_is_a_ring_of_directions():
    axes, shown = axes_of(view="normalized")
    (cloud,) = artists(axes, "features")
    radius = np.linalg.norm(np.asarray(cloud.get_offsets()), axis=1)
    assert radius.min() > 0.85
    assert radius.max() < 1.15
    assert len(artists(axes, "class-glyph")) == 10
    assert len([a for a in axes.get_children() if str(a.get_gid()).startswith("weight-")]) == 10


@pytest.mark.parametrize("count", [10, 50, 60_000])
def test_few_and_many_points_stay_readable(count):
    axes, _ = axes_of(count=count)
    (cloud,) = artists(axes, "features")
    size, opacity = cloud.get_sizes()[0], cloud.get_alpha()
    assert 0.2 <= opacity <= 0.9
    assert (size >= 10) if count <= 50 else (size <= 1)


@pytest.mark.parametrize("view", ["raw", "normalized"])
def test_unseen_classes_are_grey_edged_shapes_over_the_test_features_only(view):
    shown = panel()
    kept = shown.splits["test"].labels < 8
    seen, unseen = (Embedding(*(array[mask] for array in shown.splits["test"][:3])) for mask in (kept, ~kept))
    missing = shown.weight.copy()
    missing[8:] = np.nan  # no direction was ever learned for them
    shown = shown._replace(
        splits={"train": seen, "test": seen, "unseen": unseen}, weight=missing, centers=missing
    )
    for split, drawn in (("test", True), ("train", False)):
        axes = Figure().subplots()
        features.draw_axes(axes, shown, split, view=view)
        for label in (8, 9):
            shapes = artists(axes, f"unseen-{label}")
            assert len(shapes) == drawn
            if drawn:
                np.testing.assert_allclose(shapes[0].get_edgecolors()[0, :3], to_rgb(UNSEEN), atol=1e-6)
                np.testing.assert_allclose(
                    shapes[0].get_facecolors()[0, :3], to_rgb(PALETTE[label]), atol=1e-6
                )
                assert np.isfinite(np.asarray(shapes[0].get_offsets())).all()
        assert all(np.isfinite(axes.get_xlim()))
        assert axes.get_legend() is None, "it would hide features"
        if drawn:
            marks = [
                tuple(artists(axes, f"unseen-{label}")[0].get_paths()[0].vertices.ravel()) for label in (8, 9)
            ]
            assert marks[0] != marks[1], "shapes differ, also without colour"


def draw_figure(runs, split="both", view="raw", style="paper"):
    return render_figure(
        lambda figure: features.draw_figure(figure, runs, split=split, view=view, projection="pca"), style
    )


@pytest.mark.parametrize("split, named", [("both", True), ("test", True), ("train", False)])
def test_the_legend_names_the_unseen_classes_where_they_are_drawn(split, named):
    unseen = embedding(40, classes=2)
    runs = [View(splits={**View().splits, "unseen": unseen}), View()]
    (legend,) = draw_figure(runs, split).legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert ("unseen: 0, 1" in texts) == named
    lines = [line for line in legend.findobj(Line2D) if line.get_markeredgecolor() == UNSEEN]
    assert len({line.get_marker() for line in lines}) == 2 * named


def test_a_column_for_each_run_with_train_above_test():
    runs = [View(title="Softmax", subtitle="", centers=None), View(centers=5 * directions())]
    axes = draw_figure(runs).axes
    assert [len(artists(a, "features")[0].get_offsets()) for a in axes] == [400, 400, 200, 200]
    assert [a.get_title() for a in axes] == ["Softmax", "Center", "", ""]
    assert [a.get_ylabel() for a in axes] == ["train features", "", "test features", ""]
    assert [bool(artists(a, "centers")) for a in axes] == [False, True, False, True]
    lines = [[text.get_text() for text in a.texts if text.get_gid() is None] for a in axes[:2]]
    assert lines[1] == ["99.00 % test, seed 0", "λ = 0.003, α = 0.5"]
    (only,) = draw_figure(runs[:1], "train").axes
    assert only.get_ylabel() == "train features"


def test_rays_and_dots_are_explained_where_there_are_any():
    def legend(*runs, **choices):
        figure = render_figure(lambda figure: features.draw_figure(
            figure, runs, **{"split": "test", "view": "raw", "projection": "pca", **choices}))  # fmt: skip
        return [text.get_text() for legend in figure.legends for text in legend.get_texts()]

    weight, center = "direction of a class weight, not a boundary", "class center"
    plain, both = View(weight=None), View(centers=5 * directions())
    assert legend(plain) == []
    assert legend(plain, both) == [weight, center]
    assert legend(both, view="normalized") == [weight]


def test_a_run_without_the_split_is_one_sentence():
    run = View(splits={"train": embedding(), "val": embedding()})
    assert len(draw_figure([run], "train").axes) == 1
    with pytest.raises(RunError, match="center-0123456789 has no test features; it has train, val"):
        draw_figure([run])


@pytest.mark.parametrize("style", ["paper", "slides", "dark"])
def test_titles_and_lines_above_a_panel_do_not_touch(style):
    figure = draw_figure([View(subtitle="λ = 0.003, α = 0.5 · unseen 7, 8, 9")] * 3, style=style)
    for axes in figure.axes[:3]:
        above = [text for text in axes.texts if text.get_gid() is None]
        boxes = [text.get_window_extent() for text in (*above, axes.title)]
        assert len(boxes) == 4
        assert axes.get_window_extent().y1 <= boxes[0].y0
        for lower, upper in zip(boxes, boxes[1:], strict=False):
            assert lower.y1 <= upper.y0 + 1
        assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 for box in boxes)
        assert boxes[-1].y1 <= figure.bbox.y1


def test_small_dots_with_corners_look_like_circles():
    """Beyond 5,000 points marks are polygons, because that is sooner drawn: no pixel may show it."""
    points, pictures = np.random.RandomState(0).randn(6000, 2), []
    for shape in ("o", point_style(6000)["marker"]):
        figure = Figure(figsize=(2, 2), dpi=200)
        canvas = FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.scatter(*points.T, linewidths=0, **point_style(6000) | {"marker": shape})
        canvas.draw()
        pictures.append(np.asarray(canvas.buffer_rgba()).astype(int))
    assert point_style(5000)["marker"] == "o" != point_style(6000)["marker"]
    difference = np.abs(pictures[0] - pictures[1])
    assert 0 < difference.mean() < 0.5 and difference.max() < 40


@pytest.mark.parametrize(
    ("count", "shape"), [(5, (1, 5)), (7, (2, 4)), pytest.param(15, (3, 5), marks=pytest.mark.slow)]
)
def test_at_most_five_runs_stand_side_by_side(count, shape):
    """Train above test for each, in the order of the runs; a panel is as wide for 15 runs as for 5."""
    figure = Figure(layout="constrained")
    runs = [View(title=f"loss {number}") for number in range(count)]
    features.draw_figure(figure, runs, split="both", view="raw", projection="pca")
    bands, width = shape
    titles = [axes.get_title() for axes in figure.axes if axes.get_visible() and axes.get_title()]
    assert titles == [run.title for run in runs]
    places = {axes.get_title(): axes.get_subplotspec() for axes in figure.axes}
    for number, run in enumerate(runs):
        place = places[run.title]
        assert (place.rowspan.start, place.colspan.start) == (2 * (number // width), number % width)
    labels = [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]
    assert labels == bands * ["train features", "test features"]
    assert sum(axes.get_visible() for axes in figure.axes) == 2 * count
    assert figure.get_figwidth() < 1.1 * (features.PANEL * width + 0.4)
    assert 2 * features.PANEL * bands < figure.get_figheight() < 3 * features.PANEL * bands


def test_axes_that_differ_between_panels_are_said_to():
    def said(*runs, view="raw"):
        figure = render_figure(
            lambda figure: features.draw_figure(figure, runs, split="both", view=view, projection="pca")
        )
        boxes = [axes.get_tightbbox() for axes in figure.axes]
        for legend in figure.legends:
            assert not any(legend.get_window_extent().overlaps(box) for box in boxes)
        return [legend.get_title().get_text() for legend in figure.legends]

    usual = View(weight=None)
    wide = {name: part._replace(features=3 * part.features) for name, part in usual.splits.items()}
    larger = View(weight=None, splits=wide)
    assert said(usual, larger) == ["axes differ between panels"]
    assert said(View(), larger) == ["axes differ between panels"]
    assert said(usual, usual) == said(usual, larger, view="normalized") == []
    hardly = {name: part._replace(features=1.05 * part.features) for name, part in usual.splits.items()}
    assert said(usual, View(weight=None, splits=hardly)) == []  # drawn on the same axes
    assert said(View(), View()) == [""]


@pytest.mark.parametrize(
    ("together", "texts"),
    [(2, {"0, 1", *"23456789"}), (3, {"0, 1, 2", *"3456789"}), (10, {"10 classes"})],
)
@pytest.mark.parametrize("draw", [features.draw_plane, features.draw_ring])
def test_classes_at_one_place_show_the_names_of_all(draw, together, texts):
    shown = panel()
    points, labels = shown.splits["test"][:2]
    points[labels < together] = [5, 0.1]
    axes = Figure().subplots()
    draw(axes, shown._replace(centers=None), "test")
    assert {artist.get_text() for artist in artists(axes, "class-glyph")} == texts


@pytest.mark.parametrize("apart", np.linspace(0.05, 0.3, 6))
def test_names_of_neighbours_do_not_cover_each_other(apart):
    """Two classes this share of the half width apart, one above the other: two names, or one for both."""
    shown = panel()
    points, labels = shown.splits["test"][:2]
    limit = shown._replace(centers=None).limit
    points[labels == 0] = [0.5 * limit, 0]
    points[labels == 1] = [0.5 * limit, apart * limit]
    axes = Figure((PANEL, PANEL)).add_axes((0, 0, 1, 1))
    features.draw_plane(axes, shown._replace(centers=None), "test", limit)
    names = [name for name in artists(axes, "class-glyph") if {"0", "1"} & {*name.get_text().split(", ")}]
    if len(names) > 1:
        a, b = (name.get_window_extent() for name in names)
        assert not a.overlaps(b)
