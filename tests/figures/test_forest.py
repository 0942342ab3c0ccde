"""The forest figure, asked through its artists."""

from __future__ import annotations

import math

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lossbench.figures import _style, forest
from lossbench.figures.forest import Row
from lossbench.reports.figure_files import render_figure

ROWS = [
    Row("arcface", np.array([0.1, 0.2, 0.3]), 0.2, 0.05, 0.35, "better", "99.13 (3/3)"),
    Row("center", np.array([-0.1, 0.2]), 0.05, -0.2, 0.3, "not distinguishable"),
    Row("triplet", np.array([-0.5, -0.5, -0.2]), -0.4, -0.6, -0.2, "worse"),
]


def draw_axes(rows=ROWS, **settings):
    with mpl.rc_context(_style.STYLES["paper"]):
        figure = Figure(figsize=(6.5, 0.35 * len(rows) + 1), layout="constrained")
        axes = figure.subplots()
        forest.draw_axes(axes, rows, baseline="softmax", **settings)
        FigureCanvasAgg(figure).draw()
    return axes


def found(axes, gid):
    return next(artist for artist in axes.get_children() if artist.get_gid() == gid)


def many(count):
    random = np.random.RandomState(count)
    names = [f"a-loss-of-long-name-{place}" for place in range(count)]
    values = [random.normal(0, 0.2, 10) for _ in names]
    return [
        Row(name, v, v.mean(), v.mean() - 0.1, v.mean() + 0.1, "not distinguishable", "99.13 (10/10)")
        for name, v in zip(names, values, strict=True)
    ]


def test_every_seed_the_mean_and_the_interval_stand_at_their_row():
    axes = draw_axes()
    for place, row in enumerate(ROWS):
        x, y = found(axes, f"seeds-{place}").get_offsets().T
        np.testing.assert_allclose(x, row.differences)
        assert np.abs(y - place).max() < 0.4
        assert len(set(y)) == len(y)  # equal seeds do not hide each other
        mean = found(axes, f"mean-{place}")
        assert (mean.get_xdata()[0], mean.get_ydata()[0]) == (row.mean, place)
        interval = found(axes, f"interval-{place}")
        assert tuple(interval.get_xdata()) == (row.low, row.high)
        assert set(interval.get_ydata()) == {place}


def test_rows_are_named_from_top_to_bottom():
    axes = draw_axes()
    assert [text.get_text() for text in axes.get_yticklabels()] == ["arcface", "center", "triplet"]
    assert axes.yaxis_inverted()
    assert found(axes, "note-0").get_text() == "99.13 (3/3)"
    assert not any(child.get_gid() == "note-1" for child in axes.get_children())


def test_long_labels_stay_inside_the_figure():
    figure = render_figure(
        lambda figure: forest.draw_figure(
            figure,
            [Row("Contrastive-Center, network deep", np.array([-12.0, -9]), -10.5, -14, -7, "worse"), *ROWS],
            baseline="Center (λ = 0.003, α = 0.5)",
            unit="unseen mean average precision at R (percentage points)",
        )
    )
    axes = figure.axes[0]
    for text in (axes.xaxis.label, *axes.get_yticklabels(), *axes.texts):
        box = text.get_window_extent()
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1, text
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1, text


def test_the_baseline_is_a_named_line_at_zero():
    axes = draw_axes(unit="degrees")
    assert set(found(axes, "baseline").get_xdata()) == {0}
    assert found(axes, "baseline-name").get_text() == "softmax"
    assert axes.get_xlabel() == "difference to softmax, degrees"
    low, high = draw_axes([Row("a", np.array([5.0, 6.0]), 5.5, 5, 6, "better")]).get_xlim()
    assert low < 0 < high


def test_verdicts_differ_in_colour_and_in_mark_and_the_legend_says_how():
    axes = draw_axes()
    means = [found(axes, f"mean-{place}") for place in range(3)]
    assert len({mean.get_marker() for mean in means}) == 3
    assert len({mean.get_color() for mean in means}) == 3
    assert means[1].get_color() == _style.FAINT
    for place, mean in enumerate(means):
        assert found(axes, f"interval-{place}").get_color() == mean.get_color()
    entries = {text.get_text() for text in axes.get_legend().get_texts()}
    assert entries == {"better", "worse", "not distinguishable", "one seed"}
    assert {text.get_text() for text in draw_axes(ROWS[:1]).get_legend().get_texts()} == {
        "better",
        "one seed",
    }


def test_one_seed_has_no_interval_and_still_a_place():
    axes = draw_axes([Row("a", np.array([0.3]), 0.3, math.nan, math.nan, None), ROWS[0]])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["better", "not tested", "one seed"]
    assert found(axes, "seeds-0").get_offsets().tolist() == [[0.3, 0]]
    assert axes.get_xscale() == "linear"
    draw_axes([Row("none", np.array([]), math.nan, math.nan, math.nan, None)])
    draw_axes([Row("same", np.zeros(3), 0.0, 0.0, 0.0, "not distinguishable")])


def test_a_row_far_off_is_an_arrow_at_the_edge_with_its_number():
    far = Row("oim", np.array([-60.0, -50.0]), -55.0, -90.0, -20.0, "worse", number="−55.00 ± 35.00")
    wide = Row("two seeds", np.array([0.1, 0.3]), 0.2, -9.0, 9.0, "not distinguishable")
    axes = draw_axes([*ROWS, far, wide])
    assert axes.get_xscale() == "linear"
    low, high = axes.get_xlim()
    assert -5 < low < -0.6 and 0.35 < high < 5
    arrow, number = found(axes, "mean-3"), found(axes, "number-3")
    assert (arrow.get_marker(), arrow.get_xdata()[0]) == ("<", low)
    assert number.get_text() == "−55.00 ± 35.00"
    box, inside = number.get_window_extent(), axes.get_window_extent()
    assert inside.x0 < box.x0 and box.x1 < inside.x1
    assert not any(child.get_gid() in ("interval-3", "seeds-3", "number-4") for child in axes.get_children())
    assert found(axes, "mean-4").get_marker() == "o"
    assert found(axes, "interval-4").get_clip_on()
    assert "mean beyond the axis" in {text.get_text() for text in axes.get_legend().get_texts()}
    up = draw_axes([*ROWS, far._replace(mean=55.0, differences=-far.differences, low=20.0, high=90.0)])
    assert (found(up, "mean-3").get_marker(), found(up, "mean-3").get_xdata()[0]) == (">", up.get_xlim()[1])
    assert "mean beyond the axis" not in {text.get_text() for text in draw_axes().get_legend().get_texts()}


@pytest.mark.parametrize(("mean", "shown"), [(5.0, (-1.3, 5.3)), (5.1, (-1.1, 1.1))])
def test_the_axis_reaches_five_times_as_far_as_the_usual_row(mean, shown):
    usual = Row("a", np.array([-1.0, 1.0]), 0.0, -1.0, 1.0, "not distinguishable")
    far = Row("b", np.array([mean]), mean, math.nan, math.nan, "better")
    assert forest._limits([usual, usual, usual, far]) == pytest.approx(shown)


def test_many_rows_are_low_enough_for_a_page_and_do_not_overlap():
    figure = render_figure(
        lambda figure: forest.draw_figure(figure, many(53), baseline="Softmax", unit="test accuracy")
    )
    assert figure.bbox.height <= 2000
    names = [text.get_window_extent() for text in figure.axes[0].get_yticklabels()]
    assert not any(a.overlaps(b) for a, b in zip(names, names[1:], strict=False))


@pytest.mark.parametrize("count", [1, 3, 10, 39])
def test_nothing_overlaps_or_leaves_the_figure(count):
    axes = draw_axes(many(count))
    page = axes.figure.bbox
    names = [text.get_window_extent() for text in axes.get_yticklabels()]
    notes = [found(axes, f"note-{place}").get_window_extent() for place in range(count)]
    legend, name = axes.get_legend().get_window_extent(), found(axes, "baseline-name").get_window_extent()
    for box in [*names, *notes, legend, name, axes.xaxis.label.get_window_extent()]:
        assert page.x0 <= box.x0 and box.x1 <= page.x1
        assert page.y0 <= box.y0 and box.y1 <= page.y1
    assert not legend.overlaps(name)
    for column in (names, notes):
        assert not any(a.overlaps(b) for a, b in zip(column, column[1:], strict=False))
    assert all(box.x1 <= axes.get_window_extent().x0 for box in names)
    assert all(box.x0 >= axes.get_window_extent().x1 for box in notes)
