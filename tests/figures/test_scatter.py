"""The scatter plot of two metrics, asked through its artists."""

from __future__ import annotations

from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from lossbench.figures import _style, scatter
from lossbench.statistics import Interval

X, Y = scatter.Axis("seconds", -1), scatter.Axis("MAP@R", 1, (0, 1))


def point(label, x, y, group=0, half_width=0.01):
    return scatter.Point(label, Interval(x, 10 * half_width, 5), Interval(y, half_width, 5), group)


POINTS = [point("softmax", 20, 0.92, 1), point("center", 21, 0.95), point("arcface", 22, 0.97)]


def draw(points, **settings):
    with mpl.rc_context(_style.STYLES["paper"]):
        figure = Figure(layout="compressed")
        FigureCanvasAgg(figure)
        scatter.draw_figure(figure, [scatter.Panel(points, X, Y)], **settings)
        figure.canvas.draw()
    return figure.axes[0]


def legend(axes):
    return [text.get_text() for each in axes.figure.legends for text in each.get_texts()]


def artists(axes, prefix):
    return {a.get_gid(): a for a in axes.get_children() if (a.get_gid() or "").startswith(prefix)}


def test_every_point_is_at_its_means_and_has_its_name():
    axes = draw(POINTS)
    dots = artists(axes, "point-")
    for number, each in enumerate(POINTS):
        np.testing.assert_allclose(dots[f"point-{number}"].get_offsets(), [[each.x.mean, each.y.mean]])
    assert [name.get_text() for name in artists(axes, "name-").values()] == ["center", "arcface", "softmax"]
    assert axes.get_xlabel() == "seconds, less is better"
    assert axes.get_ylabel() == "MAP@R, more is better"


def test_bars_are_as_long_as_the_intervals():
    axes = draw([point("a", 20, 0.92)])
    across, up = (lines.get_segments()[0] for lines in axes.collections if hasattr(lines, "get_segments"))
    np.testing.assert_allclose(across, [[19.9, 0.92], [20.1, 0.92]])
    np.testing.assert_allclose(up, [[20, 0.91], [20, 0.93]])


def test_a_point_far_off_is_an_arrow_at_the_edge():
    points = [point(str(n), 20 + n, 0.9 + 0.01 * n) for n in range(5)]
    axes = draw([*points, point("far", 22, 0.1)])
    ((x, y),) = artists(axes, "point-")["point-5"].get_offsets()
    assert x == 22
    assert y == pytest.approx(axes.get_ylim()[0])
    assert y > 0.5
    assert legend(axes) == ["beyond the axis"]


def test_a_crowd_far_off_is_drawn_where_it_is():
    """Arrows are for a few: here a third of the losses form a second cluster."""
    points = [point(str(n), 20 + n, 0.97 + 0.001 * n) for n in range(10)]
    points += [point(f"low-{n}", 20 + n, 0.8 + 0.001 * n) for n in range(5)]
    assert draw(points).get_ylim()[0] < 0.8


def test_names_cover_no_other_name_the_first_group_comes_first_and_a_note_counts_the_rest():
    """A hundred points on one spot: few names have room, among them that of the best group."""
    crowd = [point(f"loss-{n}", 20 + 1e-4 * n, 0.9, group=int(n != 77), half_width=0.001) for n in range(100)]
    axes = draw(crowd)
    names = artists(axes, "name-")
    assert names["name-77"].get_text() == "loss-77"
    assert len(names) < 40
    left_out = artists(axes, "unnamed")["unnamed"]
    assert left_out.get_text() == f"{100 - len(names)} of 100 losses are not named"
    inside = left_out.get_window_extent()
    assert axes.xaxis.label.get_window_extent().x1 < inside.x0 and inside.x1 <= axes.bbox.x1 + 1
    assert not artists(draw(POINTS), "unnamed")
    boxes = [Text.get_window_extent(name) for name in names.values()]
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_the_legend_names_the_groups_that_are_there_and_the_diagonal_is_drawn_on_demand():
    axes = draw(POINTS, names=("first", "second", "third"), diagonal=True)
    assert legend(axes) == ["first", "second"]
    assert artists(axes, "diagonal")
    assert not legend(draw(POINTS))


def test_a_single_seed_has_no_bars_and_does_not_fail():
    points = [scatter.Point("a", Interval(1.0, np.nan, 1), Interval(0.5, np.nan, 1))]
    assert len(artists(draw(points), "point-")) == 1


def test_names_are_placed_on_the_page_as_it_is_drawn():
    """Its layout, which is found last, decides where there is room."""
    random = np.random.RandomState(0)
    crowd = [point(f"a-long-name-{n}", *random.uniform((20, 0.9), (30, 0.99))) for n in range(60)]
    axes = draw(crowd, names=("first",))
    names = artists(axes, "name-")
    found = {gid: (name.get_position(), name.get_ha()) for gid, name in names.items()}
    places = np.concatenate([artists(axes, "point-")[f"point-{n}"].get_offsets() for n in range(60)])
    for name in names.values():
        name.remove()
    scatter._draw_names(axes, crowd, places)
    again = {gid: (name.get_position(), name.get_ha()) for gid, name in artists(axes, "name-").items()}
    assert again.keys() == found.keys() and len(found) < 60
    for gid, (position, side) in again.items():
        assert position == pytest.approx(found[gid][0]) and side == found[gid][1]
