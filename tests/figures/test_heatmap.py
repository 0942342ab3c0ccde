"""The heat map: cells in order, means over seeds, the best one, and empty ones."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from lossbench.errors import RunError, UsageError
from lossbench.figures import heatmap
from lossbench.figures._style import INK, STYLES, readable_on
from lossbench.specs import MetricSpec
from lossbench.specs.quantities import RUN_NUMBERS
from lossbench.statistics.intervals import mean_interval
from tests.figures.views import View


def run(lam, alpha, seed=0, accuracy=0.9, **more):
    settings = {"loss": "center", "lambda": lam, "alpha": alpha, **more}
    numbers = {"test_accuracy": accuracy, "spread-gap": 1 - accuracy}
    return View(seed=seed, settings=settings, numbers=numbers)


def sweep():
    """Accuracy falls with lambda and rises with alpha; there is no run at (1, 0.1)."""
    return [
        run(lam, alpha, seed, 0.9 - 0.1 * lam + 0.1 * alpha + 0.002 * seed)
        for lam in (1.0, 0.01, 0.1)
        for alpha in (0.5, 0.1)
        for seed in (0, 1, 2)
        if (lam, alpha) != (1.0, 0.1)
    ]


def composed(runs, over="lambda,alpha", metric="test_accuracy"):
    figure = Figure(layout="constrained")
    heatmap.draw_figure(figure, runs, over=over, metric=metric)
    return figure


def cells(axes):
    (image,) = [image for image in axes.images if image.get_gid() == "cells"]
    return np.ma.filled(image.get_array(), np.nan)


def patches(axes, gid):
    return [patch for patch in axes.patches if patch.get_gid() == gid]


def test_values_stand_in_order_and_cells_hold_means_in_percent():
    axes, colorbar = composed(sweep()).axes
    assert colorbar.get_ylabel() == "test accuracy (%)"
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0.01", "0.1", "1"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["0.1", "0.5"]
    np.testing.assert_allclose(cells(axes), [[91.1, 90.2, np.nan], [95.1, 94.2, 85.2]])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("λ", "α")
    assert (axes.get_xlim(), axes.get_ylim()) == ((-0.5, 2.5), (-0.5, 1.5))  # both rise


def test_a_word_in_place_of_a_number_is_the_last_cell():
    runs = [run(lam, 0.5, train_size=size) for lam in (0.01, 0.1) for size in ("all", 100, 1000)]
    axes, _ = composed(runs, over="train_size,lambda").axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["100", "1000", "all"]
    axes, _ = composed(runs, over="lambda,train_size").axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["100", "1000", "all"]


def test_intervals_of_fractions_are_cut_off_at_their_limits():
    given = [
        run(lam, alpha, seed, 0.93 + 0.05 * seed) for lam in (1, 2) for alpha in (1, 2) for seed in (0, 1)
    ]
    texts = {text.get_text() for text in composed(given).axes[0].texts if text.get_gid() == "number"}
    assert texts == {"95.50\n[63.73, 100.00]"}


def test_the_named_settings_are_the_axes_in_the_named_order():
    axes = composed(sweep(), over="alpha,lambda").axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("α", "λ")
    assert cells(axes).shape == (3, 2)


def test_numbers_have_half_widths_where_there_are_several_seeds():
    axes = composed(sweep()).axes[0]
    half = mean_interval([95.0, 95.2, 95.4]).half_width
    texts = {text.get_position(): text.get_text() for text in axes.texts}
    assert texts[(1, 1)] == f"94.2\n± {half:.1f}"
    alone = composed([one for one in sweep() if one.seed == 0]).axes[0]
    assert {text.get_position(): text.get_text() for text in alone.texts}[(1, 1)] == "94.0"


def test_the_empty_cell_is_hatched():
    (empty,) = patches(composed(sweep()).axes[0], "empty")
    assert empty.get_hatch()
    assert (empty.get_x(), empty.get_y()) == (1.5, -0.5)


@pytest.mark.parametrize(
    ("metric", "place"),
    [("test_accuracy", (0, 1)), ("spread-gap", (0, 1)), ("unseen-map-at-r", (0, 1)), ("eer", (2, 1))],
)
def test_the_best_cell_is_outlined_whichever_side_is_better(metric, place):
    runs = sweep()
    for one in runs:
        one.numbers.setdefault(metric, one.numbers["test_accuracy"])
    (best,) = patches(composed(runs, metric=metric).axes[0], "best")
    assert (round(best.get_x() + 0.45), round(best.get_y() + 0.45)) == place


def test_no_cell_is_best_by_a_number_without_a_better_side(monkeypatch):
    monkeypatch.setitem(RUN_NUMBERS, "neutral", MetricSpec(title="neutral", summary=""))
    runs = sweep()
    for one in runs:
        one.numbers["neutral"] = one.numbers["test_accuracy"]
    axes = composed(runs, metric="neutral").axes[0]
    assert patches(axes, "best") == []
    assert len(axes.texts) == 5


def test_what_else_varies_has_a_panel_each_at_one_colour_scale():
    runs = [run(lam, alpha, accuracy=0.9 + 0.001 * width + 0.01 * lam, width=width)
            for lam in (0.1, 0.2) for alpha in (0.1, 0.2) for width in (2, 3)]  # fmt: skip
    figure = composed(runs)
    shown = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in shown] == ["width = 2", "width = 3"]
    assert shown[0].images[0].get_clim() == shown[1].images[0].get_clim()


def test_a_number_that_no_run_has_and_too_few_settings_are_clear():
    with pytest.raises(RunError, match=r"compare --metric"):
        composed(sweep(), metric="roc-auc")
    with pytest.raises(RunError, match="2 numeric settings"):
        composed([run(0.1, 0.5), run(0.2, 0.5)], over="")
    with pytest.raises(UsageError, match="--over margin"):
        composed(sweep(), over="margin")


@pytest.mark.parametrize(
    ("span", "decimals"),
    [(0, 2), (100, 1), (10, 1), (5, 1), (0.5, 2), (0.1, 2), (0.05, 3), (5e-3, 4), (5e-6, 4)],
)
def test_numbers_have_as_many_decimals_as_tell_cells_apart(span, decimals):
    assert heatmap._decimals(span) == decimals


@pytest.mark.parametrize("given", [{}, {"lambda": 0.1}])
def test_a_loss_without_a_swept_setting_is_not_left_out_silently(given):
    with pytest.raises(
        UsageError, match=r"^Softmax has no lambda and alpha; leave it out, or name another --over\.$"
    ):
        composed([*sweep(), View(title="Softmax", settings={"loss": "softmax", **given})])


def test_marks_on_colours_stay_readable():
    import matplotlib as mpl

    with mpl.rc_context(STYLES["paper"]):
        assert readable_on("#fde725") == INK
        assert readable_on("#440154") == "white"
    with mpl.rc_context(STYLES["dark"]):
        assert readable_on("#fde725") == mpl.rcParams["axes.facecolor"]
