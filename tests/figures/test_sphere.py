"""The sphere, asked through its artists: what is near, what is far, pins and names."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from mpl_toolkits.mplot3d import proj3d

from lossbench.errors import RunError
from lossbench.figures import sphere
from lossbench.reports.figure_files import render_figure
from tests.figures.views import DIGITS, View, directions, embedding


def view3d(count=200):
    part = embedding(count, dim=3)
    return View(splits={"train": part, "test": part}, weight=3 * directions(dim=3))


def drawn(run, elevation=0, azimuth=0):
    axes = Figure().add_subplot(projection="3d")
    look = {"elevation": elevation, "azimuth": azimuth}
    sphere.draw_axes(axes, run.splits["test"], DIGITS, run.weight, **look)
    return axes


def named(axes, gid):
    return [artist for artist in axes.get_children() if artist.get_gid() == gid]


def places(cloud):
    return np.stack([np.asarray(part) for part in cloud._offsets3d], axis=1)


def test_every_feature_is_on_the_sphere_and_what_is_behind_is_faint():
    run = view3d()
    axes = drawn(run)  # the eye looks from +x
    (near,), (far,) = named(axes, "features-near"), named(axes, "features-far")
    front, back = places(near), places(far)
    assert len(front) + len(back) == 200
    assert (front[:, 0] >= 0).all()
    assert (back[:, 0] < 0).all()
    np.testing.assert_allclose(np.linalg.norm(np.concatenate([front, back]), axis=1), 1, atol=1e-9)
    assert far.get_alpha() < 0.5 * near.get_alpha()
    assert far.get_zorder() < near.get_zorder()
    assert near.get_rasterized()


@pytest.mark.parametrize(("elevation", "azimuth"), sphere.VIEWS)
def test_near_is_near_from_every_side(elevation, azimuth):
    axes = drawn(view3d(), elevation, azimuth)
    up, around = np.radians([elevation, azimuth])
    eye = np.array([np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up)])
    assert (places(named(axes, "features-near")[0]) @ eye > -1e-9).all()
    assert (places(named(axes, "features-far")[0]) @ eye < 1e-9).all()
    assert (axes.elev, axes.azim) == (elevation, azimuth)


def test_pins_follow_the_weights_and_names_the_features():
    run = view3d()
    axes = drawn(run)
    for label, direction in enumerate(directions(dim=3)):
        (pin,) = named(axes, f"weight-{label}")
        tip = np.array(pin.get_data_3d())[:, 1]
        np.testing.assert_allclose(tip / np.linalg.norm(tip), direction, atol=1e-9)
        assert (pin.get_alpha() == 1) == (direction[0] >= 0)
    glyphs = {name.get_text(): name for name in named(axes, "class-glyph")}
    names = {text: np.array(name.get_position_3d()) for text, name in glyphs.items()}
    near = {str(label): each for label, each in enumerate(directions(dim=3)) if each[0] >= 0}
    assert sorted(names) == sorted(near)  # what is behind has no name
    for text, direction in near.items():
        assert names[text] @ direction / np.linalg.norm(names[text]) > 0.95
        assert np.linalg.norm(names[text]) > 1
        assert glyphs[text].get_path_effects()  # outlined


def test_some_view_names_each_class():
    named_somewhere = set()
    for elevation, azimuth in sphere.VIEWS:
        named_somewhere |= {
            name.get_text() for name in named(drawn(view3d(), elevation, azimuth), "class-glyph")
        }
    assert named_somewhere == set(DIGITS)


def test_long_names_that_begin_alike_are_all_drawn():
    run = view3d()
    names = [f"automobile {letter}" for letter in "abcdefghij"]
    counts = []
    for view in sphere.VIEWS:
        axes = Figure().add_subplot(projection="3d")
        look = dict(zip(("elevation", "azimuth"), view, strict=True))
        sphere.draw_axes(axes, run.splits["test"], names, run.weight, **look)
        counts.append(len(named(axes, "class-glyph")))
    assert sum(counts) >= len(names)
    assert max(counts) > 1


@pytest.mark.parametrize("length", [1, 8])
def test_names_of_classes_in_one_direction_stand_above_each_other(length):
    run = view3d()
    run.class_names = tuple("abcdefghij"[label] * length for label in range(10))
    points, labels = run.splits["test"][:2]
    points[labels < 3] = [5, 0.3, 0.2]
    figure = render_figure(lambda figure: sphere.draw_figure(figure, [run], split="test"), "paper")
    for axes in figure.axes:
        boxes = []
        for name in named(axes, "class-glyph"):
            x, y, _ = proj3d.proj_transform(*name.get_position_3d(), axes.get_proj())
            size = name.get_window_extent().size
            boxes.append(Bbox.from_bounds(*(axes.transData.transform((x, y)) - size / 2), *size))
        for a, b in itertools.combinations(boxes, 2):
            shared = Bbox.intersection(a, b)
            assert shared is None or min(shared.width, shared.height) < 0.15 * a.height


def test_the_far_half_of_the_wires_is_fainter():
    wires = named(drawn(view3d()), "wire")
    for wire in wires:
        x = np.array(wire.get_data_3d())[0]
        behind = np.nanmean(x) < 0
        assert (wire.get_alpha() < 0.5) == bool(behind), x


def test_a_class_without_weight_has_no_pin():
    run = view3d()
    run.weight[9] = np.nan
    assert named(drawn(run), "weight-9") == []


def test_a_row_per_run_with_every_view():
    figure = Figure(layout="constrained")
    sphere.draw_figure(figure, [view3d(), view3d()], split="test")
    assert (
        figure.get_supxlabel() == "strokes: class weights; what is on the far side is faint and has no name"
    )
    assert len(figure.axes) == 2 * len(sphere.VIEWS)
    assert [row.get_suptitle() for row in figure.subfigs] == [
        "Center · λ = 0.003, α = 0.5 · 99.00 % test, seed 0"
    ] * 2


@pytest.mark.parametrize("length", [1, 8, 40])
def test_names_of_classes_stay_in_their_panel(length):
    run = view3d()
    run.class_names = tuple("abcdefghij"[label] * length for label in range(10))
    figure = render_figure(lambda figure: sphere.draw_figure(figure, [run], split="test"), "paper")
    width = figure.bbox.width / len(sphere.VIEWS)
    for number, axes in enumerate(figure.axes):
        for name in named(axes, "class-glyph"):
            x, y, _ = proj3d.proj_transform(*name.get_position_3d(), axes.get_proj())
            middle, _ = axes.transData.transform((x, y))
            half = name.get_window_extent().width / 2
            assert number * width <= middle - half
            assert middle + half <= (number + 1) * width


def test_other_dimensions_are_one_clear_sentence():
    with pytest.raises(RunError, match="2-D; train one with --feature-dim 3"):
        sphere.draw_figure(Figure(), [view3d(), View()], split="test")
