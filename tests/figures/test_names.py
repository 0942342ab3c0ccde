"""Class names: boxes that do not overlap, whatever their number, size and place."""

from __future__ import annotations

import itertools

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from lossbench.figures import _style, ring
from lossbench.figures._names import draw_names, spread
from lossbench.records import Embedding

CLOTHES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")


@given(st.lists(st.tuples(*[st.floats(-1, 1)] * 2, st.floats(0.05, 0.8)), min_size=1, max_size=12))
def test_boxes_move_up_and_down_until_none_overlaps(boxes):
    middles, sizes = np.array(boxes)[:, :2], np.array([(width, 0.1) for *_, width in boxes])
    moved = spread(middles, sizes)
    np.testing.assert_array_equal(moved[:, 0], middles[:, 0])
    for a, b in itertools.combinations(range(len(boxes)), 2):
        apart = np.abs(moved[a] - moved[b])
        assert apart[0] >= (sizes[a, 0] + sizes[b, 0]) / 2 or apart[1] > 0.09


def test_boxes_that_are_apart_stay_and_none_leaves_the_axes():
    middles, sizes = np.array([[0.0, 0.95], [0.0, 0.95], [0.0, 0.0]]), np.full((3, 2), 0.2)
    moved = spread(middles, sizes, 1)
    assert moved[2].tolist() == [0, 0]
    assert sorted(moved[:2, 1]) == pytest.approx([0.7, 0.9], abs=0.01)


@pytest.mark.parametrize("style", _style.STYLES)
def test_words_in_a_small_panel_do_not_cover_each_other(style):
    random = np.random.RandomState(0)
    with mpl.rc_context(_style.STYLES[style]):
        axes = Figure((1.6, 1.6)).add_axes((0, 0, 1, 1))
        axes.set(xlim=(-30, 30), ylim=(-30, 30))
        draw_names(axes, {label: 8 * random.randn(2) for label in range(10)}, CLOTHES, 30)
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) > 5
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def test_words_around_the_ring_do_not_cover_each_other_nor_leave_it():
    random = np.random.RandomState(0)
    labels = np.arange(200) % 10
    angles = 0.25 * labels + 0.02 * random.randn(200)
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    with mpl.rc_context(_style.STYLES["paper"]):
        axes = Figure((2.7, 2.7)).add_axes((0, 0, 1, 1))
        ring.draw_axes(axes, Embedding(points, labels, labels), CLOTHES, None, highest=0.5)
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    assert all(axes.bbox.contains(*corner) for box in boxes for corner in (box.p0, box.p1))
