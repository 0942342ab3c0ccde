"""The critical-difference diagram, asked through its artists."""

from __future__ import annotations

import itertools

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lossbench.figures import _style, critical_difference

NAMES = ["softmax", "arcface", "center", "triplet", "ring"]
RANKS = np.array([3.0, 1.5, 2.25, 4.75, 3.5])


def draw_axes(names=NAMES, ranks=RANKS, groups=(), **settings):
    with mpl.rc_context(_style.STYLES["paper"]):
        figure = Figure(figsize=(6.5, 0.25 * len(names) / 2 + 1 + 0.1 * len(groups)), layout="constrained")
        axes = figure.subplots()
        critical_difference.draw_axes(axes, names, np.asarray(ranks), groups, **settings)
        FigureCanvasAgg(figure).draw()
    return axes


def found(axes, gid):
    return next(artist for artist in axes.get_children() if artist.get_gid() == gid)


def path(axes, name):
    line = found(axes, f"method-{name}")
    return list(zip(line.get_xdata(), line.get_ydata(), strict=True))


def test_every_method_is_led_from_its_rank_to_its_name():
    axes = draw_axes()
    for name, rank in zip(NAMES, RANKS, strict=True):
        start, corner, end = path(axes, name)
        assert start == (rank, 0)
        assert corner == (rank, end[1])
        label = found(axes, f"name-{name}")
        assert label.get_text() == name
        assert label.xy == end
        assert found(axes, f"rank-{name}").get_text() == f"{rank:.2f}"


def test_the_better_half_is_on_the_left_and_the_ends_are_on_top():
    axes = draw_axes()
    sides = {name: path(axes, name)[-1] for name in NAMES}
    assert {name for name, (x, _) in sides.items() if x < 1} == {"arcface", "center", "softmax"}
    assert {name for name, (x, _) in sides.items() if x > 5} == {"ring", "triplet"}
    assert sides["arcface"][1] < sides["center"][1] < sides["softmax"][1]
    assert sides["triplet"][1] < sides["ring"][1]
    assert axes.yaxis_inverted()


def test_the_axis_runs_over_all_possible_ranks():
    axes = draw_axes(xlabel="mean rank over 4 data sets")
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "2", "3", "4", "5"]
    assert axes.get_xlabel() == "mean rank over 4 data sets"
    assert axes.spines["top"].get_bounds() == (1, 5)
    assert [name for name, spine in axes.spines.items() if spine.get_visible()] == ["top"]


@pytest.mark.parametrize(("count", "shown"), [(15, [*range(1, 16)]), (20, [1, 5, 10, 15, 20])])
def test_as_many_ranks_are_written_as_there_is_room_for(count, shown):
    figure = Figure(layout="constrained")
    names = [f"loss {number}" for number in range(count)]
    critical_difference.draw_figure(figure, names, np.arange(1.0, count + 1), [], xlabel="mean rank")
    assert figure.axes[0].get_xticks().tolist() == shown


def test_bars_span_their_groups_and_share_a_level_only_where_they_are_apart():
    axes = draw_axes(groups=[(1, 2), (2, 0, 4), (4, 3)])
    bars = [found(axes, f"group-{number}") for number in range(3)]
    for bar, (low, high) in zip(bars, [(1.5, 2.25), (2.25, 3.5), (3.5, 4.75)], strict=True):
        np.testing.assert_allclose(bar.get_xdata(), [low, high], atol=0.1)
        assert bar.get_xdata()[0] < low < high < bar.get_xdata()[1]
    heights = [bar.get_ydata()[0] for bar in bars]
    assert heights[0] == heights[2] != heights[1]
    assert 0 < max(heights) < min(path(axes, name)[-1][1] for name in NAMES)


@pytest.mark.parametrize(
    ("groups", "words"), [([(1, 2)], ["no two methods that a bar joins can be told apart"]), ([], [])]
)
def test_what_a_bar_means_is_said_where_there_is_one(groups, words):
    figure = Figure(layout="constrained")
    critical_difference.draw_figure(figure, NAMES, RANKS, groups, xlabel="mean rank")
    assert [text.get_text() for legend in figure.legends for text in legend.get_texts()] == words


def test_bars_may_all_share_one_level():
    axes = draw_axes(groups=[(1, 2), (0, 4)])
    assert found(axes, "group-0").get_ydata()[0] == found(axes, "group-1").get_ydata()[0]


@pytest.mark.parametrize("count", [2, 3, 10, 20])
def test_nothing_overlaps_crosses_or_leaves_the_figure(count):
    random = np.random.RandomState(count)
    names = [f"long-name-{number}" for number in range(count)]
    ranks = np.argsort(np.argsort(random.normal(size=(5, count)), axis=1), axis=1).mean(axis=0) + 1
    order = np.argsort(ranks)
    ranks[order[0]], ranks[order[-1]] = 1, count  # the ends of the axis are the tight places
    axes = draw_axes(names, ranks, [order.tolist()])
    texts = [found(axes, f"{kind}-{name}").get_window_extent() for name in names for kind in ("name", "rank")]
    for box in texts:
        assert axes.figure.bbox.x0 <= box.x0 and box.x1 <= axes.figure.bbox.x1
        assert axes.figure.bbox.y0 <= box.y0 and box.y1 <= axes.figure.bbox.y1
    assert not any(a.overlaps(b) for a, b in itertools.combinations(texts, 2))
    for upright, level in itertools.permutations(names, 2):
        (x, _), (_, depth), _ = path(axes, upright)
        (near, height), (far, _) = path(axes, level)[1:]
        assert not (min(near, far) < x < max(near, far) and height < depth), (upright, level)
    left, right = (axes.transData.transform((x, 0))[0] for x in axes.get_xlim())
    for name in names:
        box = found(axes, f"name-{name}").get_window_extent()
        assert box.x1 < left or right < box.x0
    for name in names:  # no rank is written over a connector that goes down
        box = found(axes, f"rank-{name}").get_window_extent()
        for x, y in (path(axes, other)[1] for other in names):
            column = axes.transData.transform((x, y))
            assert not (box.x0 < column[0] < box.x1 and column[1] < box.y0), name
