"""The budget figure, asked through its artists, and drawn from what searches store."""

from __future__ import annotations

from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lossbench.experiments.search_space import StudyConfig
from lossbench.figures import _style, budget
from lossbench.figures.budget import Line
from lossbench.reports.figure_files import compose_budget, write_figure

NAN = float("nan")
ROWS = [[90.0, 95.0, 94.0, NAN], [80.0, 70.0, NAN, 92.0], [NAN, 91.0, 91.5, 96.0]]


def line(label, values, best_of=np.fmax):
    values = np.array(values, dtype=float)
    return Line(label, values, best_of.accumulate(values))


LINES = [line(name, values) for name, values in zip(("Center", "Ring", "ArcFace"), ROWS, strict=True)]


def draw_axes(lines=LINES, higher_is_better=True):
    with mpl.rc_context(_style.STYLES["paper"]):
        figure = Figure(figsize=(6.5, 3.2), layout="constrained")
        axes = figure.subplots()
        budget.draw_axes(axes, lines, ylabel="validation accuracy (%)", higher_is_better=higher_is_better)
        FigureCanvasAgg(figure).draw()
    return axes


def found(axes, gid):
    return next((artist for artist in axes.get_children() if artist.get_gid() == gid), None)


def test_the_best_so_far_is_a_step_in_the_colour_of_its_search():
    axes = draw_axes()
    for number, each in enumerate(LINES):
        best = found(axes, f"best-{number}")
        assert best.get_drawstyle() == "steps-post"
        np.testing.assert_array_equal(best.get_xdata(), [1, 2, 3, 4])
        np.testing.assert_array_equal(best.get_ydata(), each.best)
        assert best.get_color() == _style.PALETTE[number]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("trials", "validation accuracy (%)")


@pytest.mark.parametrize("higher", [True, False])
def test_every_trial_is_a_point_or_a_cross_beyond_the_dotted_line(higher):
    sign = 1 if higher else -1
    lines = [Line(each.label, sign * each.values, sign * each.best) for each in LINES]
    axes = draw_axes(lines, higher_is_better=higher)
    (edge,) = set(found(axes, "edge").get_ydata())
    heights = []
    for number, each in enumerate(lines):
        points, poor = found(axes, f"trials-{number}"), found(axes, f"poor-{number}")
        places = [(place, value) for place, value in enumerate(each.values, 1) if sign * value >= sign * edge]
        assert points.get_offsets().tolist() == [list(place) for place in places]
        missing = sorted({1, 2, 3, 4} - {place for place, _ in places})
        assert poor.get_offsets()[:, 0].tolist() == missing
        heights += [float(height) for height in set(poor.get_offsets()[:, 1])]
        for artist in (points, poor):
            np.testing.assert_allclose(
                artist.get_facecolor()[0][:3], mpl.colors.to_rgb(_style.PALETTE[number])
            )
    assert [sign * height for height in heights] == sorted(
        (sign * height for height in heights), reverse=True
    )
    assert len(heights) == len(set(heights)) == 3  # a row for each search: no cross hides another
    low, high = axes.get_ylim()
    assert low < min(heights) and max(heights) < high
    assert all(sign * height < sign * edge for height in heights)
    assert all(sign * tick >= sign * edge for tick in axes.get_yticks())  # the rows have no scale


def test_the_legend_has_the_final_bests_in_the_order_of_the_lines_ends():
    texts = [text.get_text() for text in draw_axes().get_legend().get_texts()]
    assert texts == ["ArcFace  96.00", "Center  95.00", "Ring  92.00", "poor or given up"]


def test_where_no_trial_was_poor_there_are_no_rows():
    axes = draw_axes([line("a", [90, 91, 92])])
    assert found(axes, "edge") is None
    assert found(axes, "poor-0") is None
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a  92.00"]


def test_a_single_trial_and_equal_values_have_a_scale():
    for values in ([0.0], [5.0, 5.0, 5.0], [NAN, 3.0]):
        axes = draw_axes([line("a", values)])
        low, high = axes.get_ylim()
        assert low < values[-1] < high
        assert 0 not in [tick for tick in axes.get_xticks() if tick > axes.get_xlim()[0]]
        assert all(float(tick).is_integer() for tick in axes.get_xticks())


def test_searches_of_different_lengths_and_more_than_colours():
    lines = [line(f"loss-{number}", [50 + number] * (number + 1)) for number in range(23)]
    axes = draw_axes(lines)
    assert axes.get_xlim()[1] == 23.6
    styles = {
        (found(axes, f"best-{n}").get_color(), found(axes, f"best-{n}").get_linestyle()) for n in range(23)
    }
    assert len(styles) == 23


def tuned(loss, values, metric="val_accuracy", best_of=np.fmax):
    """What a study of this loss found, as far as the figure shows it."""
    curve = best_of.accumulate(np.array(values, dtype=float))
    config = StudyConfig(loss, {"dataset": "digits"}, (0,), metric).default_run
    return SimpleNamespace(loss=loss, metric=metric, values=values, curve=curve, config=config)


def test_results_of_tuning_are_drawn_in_percent_and_fits_its_page(tmp_path, monkeypatch):
    drawn = []

    def remember(axes, lines, **settings):
        drawn.append((axes, lines, settings))
        budget_draw(axes, lines, **settings)

    budget_draw = budget.draw_axes
    monkeypatch.setattr(budget, "draw_axes", remember)
    values = [[None, 0.5, 0.75], [0.25, None, 0.7]]
    path = write_figure(
        compose_budget([tuned("center", values[0]), tuned("arcface", values[1])]), tmp_path / "a.png"
    )
    axes, lines, settings = drawn[0]
    assert path.exists()
    assert [each.label for each in lines] == ["Center", "ArcFace"]
    np.testing.assert_array_equal(lines[0].values, [NAN, 50, 75])
    assert settings == {"ylabel": "validation accuracy (%)", "higher_is_better": True}
    page, legend = axes.figure.bbox, axes.get_legend().get_window_extent()
    assert page.x0 <= legend.x0 < legend.x1 <= page.x1
    assert legend.x0 >= axes.get_window_extent().x1
    write_figure(compose_budget([tuned("center", [0.5, 0.4], "spread-gap", np.fmin)]), tmp_path / "b.png")
    assert drawn[1][2] == {"ylabel": "spread/gap on validation", "higher_is_better": False}
    np.testing.assert_array_equal(drawn[1][1][0].best, [0.5, 0.4])
    sums = [tuned(loss, [0.5]) for loss in ("center", "softmax + 0.1*center")]
    write_figure(compose_budget(sums), tmp_path / "d.png")
    assert [each.label for each in drawn.pop()[1]] == ["center", "softmax + 0.1*center"]
    write_figure(compose_budget([tuned("softmax", [0.5])] * 39), tmp_path / "c.png")
    axes = drawn[2][0]
    page, legend = axes.figure.bbox, axes.get_legend().get_window_extent()
    assert page.y0 <= legend.y0 < legend.y1 <= page.y1
