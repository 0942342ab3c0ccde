"""The leaderboard, asked through its artists."""

from __future__ import annotations

import numpy as np
import pytest

from lossbench.errors import RunError
from lossbench.figures import leaderboard
from lossbench.figures._layout import limits
from lossbench.figures.leaderboard import Place
from lossbench.reports.figure_files import render_figure
from lossbench.specs import MetricSpec, catalog
from lossbench.specs.quantities import RUN_NUMBERS, metric_title
from lossbench.statistics.intervals import Interval, mean_interval
from tests.figures.views import View

VALUES = {"softmax": [0.990, 0.992, 0.991], "center": [0.995], "arcface": [0.98, 0.985]}


def runs(values=VALUES, metric="test_accuracy"):
    return [
        View(
            title=loss.title(), seed=seed, settings={"loss": loss}, numbers={"test_accuracy": 0.9, metric: v}
        )
        for loss, own in values.items()
        for seed, v in enumerate(own)
    ]


def draw_figure(given, metric="test_accuracy", style="paper"):
    return render_figure(lambda figure: leaderboard.draw_figure(figure, given, metric=metric), style)


def found(axes, gid):
    return next((artist for artist in axes.get_children() if artist.get_gid() == gid), None)


def labels(axes):
    return [text.get_text() for text in axes.get_yticklabels()]


def names(axes):
    return [label.split(", seed")[0] for label in labels(axes)]


def test_rows_say_their_seeds_where_these_are_not_the_same():
    values = {"softmax": [0.99, 0.98, 0.97], "center": [0.95], "arcface": [0.9, 0.8]}
    expected = ["Softmax, seeds 0-2", "Center, seed 0", "Arcface, seeds 0, 1"]
    assert labels(draw_figure(runs(values)).axes[0]) == expected
    gap = [run for run in runs(values) if run.seed != 1]  # 0 and 2 are no range
    gap += [View(title="Softmax", seed=5, settings={"loss": "softmax"}, numbers={"test_accuracy": 0.97})]
    assert labels(draw_figure(gap).axes[0])[0] == "Softmax, seeds 0, 2, 5"
    equal = {"softmax": [0.99, 0.98], "center": [0.95, 0.96]}
    assert labels(draw_figure(runs(equal)).axes[0]) == ["Softmax", "Center"]


def test_the_better_loss_stands_higher_whichever_side_is_better(monkeypatch):
    monkeypatch.setitem(RUN_NUMBERS, "neutral", MetricSpec(title="neutral", summary=""))
    axes = draw_figure(runs()).axes[0]
    assert names(axes) == ["Center", "Softmax", "Arcface"]
    assert axes.yaxis_inverted()
    assert "more is better →" in axes.get_xlabel()
    axes = draw_figure(runs(metric="spread-gap"), "spread-gap").axes[0]
    assert names(axes) == ["Arcface", "Softmax", "Center"]
    assert "← less is better" in axes.get_xlabel()
    axes = draw_figure(runs(metric="neutral"), "neutral").axes[0]
    assert names(axes) == ["Center", "Softmax", "Arcface"]
    assert "better" not in axes.get_xlabel()


def test_dots_are_means_in_percent_and_bars_intervals_over_seeds():
    axes = draw_figure(runs()).axes[0]
    for row, loss in enumerate(("center", "softmax", "arcface")):
        expected = mean_interval([100 * value for value in VALUES[loss]])
        (dot,) = found(axes, f"mean-{row}").get_xdata()
        assert dot == pytest.approx(expected.mean)
        bar = found(axes, f"interval-{row}")
        if expected.n == 1:
            assert bar is None
        else:
            assert sorted(bar.get_xdata()) == pytest.approx(
                [expected.mean - expected.half_width, min(expected.mean + expected.half_width, 100)]
            )
            assert set(bar.get_ydata()) == {row}
    texts = [found(axes, f"number-{row}").get_text() for row in range(3)]
    assert texts == ["99.50 (1)", "99.10 ± 0.25 (3)", "98.25 [95.07, 100.00] (2)"]


def test_numbers_have_the_digits_of_their_unit_whatever_the_interval():
    values = {"a": [0.9779, 0.9780], "b": [0.8, 0.9], "c": [0.5]}
    axes = draw_figure(runs(values, "map-at-r"), "map-at-r").axes[0]
    texts = [found(axes, f"number-{row}").get_text() for row in range(3)]
    assert texts == ["0.978 ± 0.001 (2)", "0.850 [0.215, 1.000] (2)", "0.500 (1)"]


@pytest.mark.parametrize(("seeds", "head"), [(2, "mean ± 95 % (2 seeds)"), (1, "1 seed")])
def test_equally_many_seeds_are_said_once(seeds, head):
    axes = draw_figure(runs({"a": [0.97, 0.98][:seeds], "b": [0.8, 0.81][:seeds]})).axes[0]
    assert head in [text.get_text() for text in axes.texts]
    assert not found(axes, "number-0").get_text().endswith(")")


def test_settings_of_one_loss_are_rows_of_their_own():
    given = [
        View(settings={"loss": "center", "lambda": lam}, numbers={"test_accuracy": value})
        for lam, value in ((0.01, 0.98), (0.1, 0.99))
    ]
    assert names(draw_figure(given).axes[0]) == ["λ = 0.1", "λ = 0.01"]
    with_softmax = [*given, *runs({"softmax": [0.97]})]
    assert names(draw_figure(with_softmax).axes[0]) == ["Center, λ = 0.1", "Center, λ = 0.01", "Softmax"]
    assert names(draw_figure(given[:1]).axes[0]) == ["Center"]


def test_settings_that_only_tell_losses_apart_are_not_named():
    given = [
        View(title=t, settings={"loss": t, "scale": s}, numbers={"test_accuracy": 0.9 + s / 1e3})
        for t, s in (("ArcFace", 16.0), ("CosFace", 10.0), ("Softmax", 1.0))
    ]
    assert names(draw_figure(given).axes[0]) == ["ArcFace", "CosFace", "Softmax"]


def test_a_loss_far_off_is_a_mark_at_the_edge_with_its_number():
    values = {f"loss{n}": [0.99 - n / 1000, 0.991 - n / 1000] for n in range(8)} | {"oim": [0.11, 0.1]}
    axes = draw_figure(runs(values)).axes[0]
    low, high = axes.get_xlim()
    assert low > 90
    last = found(axes, "mean-8")
    assert last.get_xdata()[0] == low
    assert last.get_marker() == "<"
    assert found(axes, "interval-8") is None
    assert found(axes, "number-8").get_text().startswith("10.5")
    assert all(found(axes, f"mean-{row}").get_marker() == "o" for row in range(8))
    bars = [found(axes, f"interval-{row}").get_xdata() for row in range(8)]
    assert low < np.min(bars) and np.max(bars) < high


def test_of_three_losses_none_is_at_the_edge_and_small_intervals_have_digits():
    """The two best may be near each other: then the third is what there is to see."""
    values = {"a": [0.99200, 0.99204], "b": [0.9918, 0.9919], "c": [0.9872, 0.9873]}
    axes = draw_figure(runs(values, "map-at-r"), "map-at-r").axes[0]
    low, high = axes.get_xlim()
    assert all(low < found(axes, f"mean-{row}").get_xdata()[0] < high for row in range(3))
    assert found(axes, "number-0").get_text() == "0.9920 ± 0.0003"  # t = 12.7 with one degree of freedom


def test_several_metrics_are_columns_in_one_order():
    given = runs()
    for run, value in zip(given, (0.3, 0.3, 0.3, 0.2, 0.1, 0.1), strict=True):
        run.numbers["spread-gap"] = value
    figure = draw_figure(given, "test_accuracy,spread-gap")
    assert len(figure.axes) == 2
    assert names(figure.axes[0]) == ["Center", "Softmax", "Arcface"]
    dots = [found(figure.axes[1], f"mean-{row}").get_xdata()[0] for row in range(3)]
    assert dots == pytest.approx([0.2, 0.3, 0.1])


@pytest.mark.parametrize("style", ["paper", "slides"])
def test_titles_of_columns_stand_apart(style):
    """The longest titles of all metrics, side by side."""
    metrics = sorted(catalog.names("metrics"), key=lambda name: len(metric_title(name)))[-4:]
    given = runs()
    for run in given:
        run.numbers.update(dict.fromkeys(metrics, 0.5))
    figure = draw_figure(given, ",".join(metrics), style)
    titles = [axes.xaxis.label.get_window_extent() for axes in figure.axes]
    assert not any(a.overlaps(b) for a, b in zip(titles, titles[1:], strict=False))
    assert titles[-1].x1 <= figure.bbox.x1


def test_a_loss_without_the_number_comes_last_and_empty():
    given = runs() + [View(title="Oim", settings={"loss": "oim"}, numbers={})]
    axes = draw_figure(given).axes[0]
    assert names(axes)[-1] == "Oim"
    assert found(axes, "mean-3") is None
    with pytest.raises(RunError, match="compare --metric map-at-r"):
        draw_figure(runs(), "map-at-r")


def test_equal_values_and_a_single_loss_have_an_axis():
    tied = {"a": [0.99], "b": [0.99], "c": [0.99], "d": [0.5]}  # the median is no distance away
    for values in ({"a": [0.99]}, {"a": [0.99], "b": [0.99]}, {"a": [0.0, 0.0], "b": [0.0]}, tied):
        axes = draw_figure(runs(values)).axes[0]
        low, high = axes.get_xlim()
        assert all(low < found(axes, f"mean-{row}").get_xdata()[0] < high for row in range(len(values)))


def test_where_no_side_is_better_no_row_is_left_at_the_edge():
    low, high = limits([mean_interval([value]) for value in (97.0, 98.0, 99.0, 100.0, 1.0)], 0)
    assert low < 1 and high > 100


NEAR = [100.0 - n for n in range(8)]


@pytest.mark.parametrize(
    ("means", "shown"),
    [
        ([*NEAR, 84.0], (83.36, 100.64)),  # four times as far off as the median, which is 4
        ([*NEAR, 83.9], (92.72, 100.28)),
        ([*NEAR[:7], 1.0, 0.0], (93.76, 100.24)),
        ([*NEAR[:6], 2.0, 1.0, 0.0], (-4.0, 104.0)),  # a third of all are no few
    ],
)
def test_the_axis_leaves_out_a_few_that_are_far_off(means, shown):
    intervals = [mean_interval([mean]) for mean in means]
    assert limits(intervals, 1) == pytest.approx(shown)
    low, high = limits([mean_interval([-mean]) for mean in means], -1)
    assert (-high, -low) == pytest.approx(shown)


def test_ties_stand_in_the_order_of_their_names():
    places = [Place(name, mean_interval([1.0])) for name in "bac"]
    assert [place.label for place in leaderboard.ranked(places, 1)] == ["a", "b", "c"]


@pytest.mark.parametrize("style", ["paper", "slides", "dark"])
@pytest.mark.parametrize("count", [2, 39])
def test_nothing_overlaps_or_leaves_the_page(style, count):
    values = {f"a-loss-of-long-name-{n}": [0.99 - n / 9999, 0.991] for n in range(count)}
    figure = draw_figure(runs(values), style=style)
    axes = figure.axes[0]
    labels = [text.get_window_extent() for text in axes.get_yticklabels()]
    numbers = [found(axes, f"number-{row}").get_window_extent() for row in range(count)]
    head = next(t for t in axes.texts if t.get_text() == "mean ± 95 % (2 seeds)").get_window_extent()
    for box in [*labels, *numbers, head, axes.xaxis.label.get_window_extent()]:
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1
    for column in (labels, [head, *numbers]):
        assert not any(a.overlaps(b) for a, b in zip(column, column[1:], strict=False))


def test_one_long_interval_does_not_press_the_others_together():
    """It is cut at half the range of the means beyond its own, or at twice the median interval."""
    usual = [Interval(0.8 + n / 100, 0.01, 2) for n in range(10)]
    assert limits([*usual, Interval(0.85, 0.6, 2)], 0) == pytest.approx(
        (0.7856, 0.9044)
    )  # 0.79 to 0.9, 4 % more
    few = [Interval(0.5, 0.24, 2), Interval(0.52, 0.24, 2)]
    assert limits(few, 0) == pytest.approx((0.24, 0.78))  # all of each: 0.26 to 0.76
