"""The curve figure, asked through its artists."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from lossbench.errors import RunError, UsageError
from lossbench.figures import curves
from lossbench.figures._settings import axis_title
from lossbench.figures._style import PALETTE
from lossbench.reports.figure_files import render_figure
from lossbench.statistics.intervals import mean_interval
from tests.figures.views import View


def draw_axes(x):
    x = np.array(x, dtype=float)
    axes = Figure().subplots()
    curve = curves.Curve("a", x, 0.9 + 0 * x, 0.01 + 0 * x, [[0.89, 0.91]] * len(x))
    curves.draw_axes(axes, [curve], xlabel="λ", ylabel="accuracy")
    return axes


def test_mean_band_and_every_seed_are_drawn():
    axes = draw_axes([0.001, 0.01, 0.1])
    np.testing.assert_allclose(axes.lines[0].get_ydata(), 0.9)
    points = [c for c in axes.collections if isinstance(c, PathCollection)]
    assert sum(len(c.get_offsets()) for c in points) == 6
    band = next(c for c in axes.collections if not isinstance(c, PathCollection))
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.min() == 0.89
    assert heights.max() == 0.91
    assert axes.get_xlabel() == "λ"


def test_bands_of_fractions_are_cut_off_at_their_limits():
    given = swept(lambdas=(0.01, 0.1), seeds=(0, 1))
    for run in given:
        run.numbers["test_accuracy"] = 0.93 + 0.05 * run.seed
    (axes,) = draw_figure(given)
    band, _ = [child for child in axes.collections if child.get_gid() == "band"]
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.max() == 100 and heights.min() < 93


def test_a_position_with_one_seed_has_no_interval():
    """A band that narrows to a point there would say that it is known exactly."""
    given = [
        run for run in swept(lambdas=(0.1, 0.2, 0.3, 0.4), seeds=(0, 1)) if run.settings["lambda"] < 0.25
    ]
    given += swept(lambdas=(0.3, 0.4), seeds=(0,))
    (axes,) = draw_figure(given)
    fill, bars = [child for child in axes.collections if child.get_gid() == "band"]
    (path,) = fill.get_paths()
    assert (path.vertices[:, 0].min(), path.vertices[:, 0].max()) == (0.1, 0.2)
    assert not bars.get_segments()


@pytest.mark.parametrize("single", [(0.3,), (0.3, 0.4), (0.1, 0.3)])
def test_an_interval_between_positions_with_one_seed_is_a_bar(single):
    (axes,) = draw_figure([*swept(lambdas=(0.2,), seeds=(0, 1)), *swept(lambdas=single, seeds=(0,))])
    fill, bars = [child for child in axes.collections if child.get_gid() == "band"]
    assert {*np.concatenate([path.vertices for path in fill.get_paths()])[:, 0]} == {0.2}  # has no area
    ((low, high),) = bars.get_segments()
    assert low[0] == high[0] == 0.2 and low[1] < high[1]


def test_scale_follows_the_sweep():
    assert draw_axes([0.001, 0.01, 0.1]).get_xscale() == "log"
    assert draw_axes([0, 0.001, 0.01, 0.1]).get_xscale() == "symlog"
    assert draw_axes([0, 0.003, 0.01, 0.1]).get_xscale() == "symlog"  # where labels would overlap
    assert draw_axes([0.1, 0.3, 0.5, 0.9]).get_xscale() == "linear"


def test_swept_values_are_the_ticks():
    labels = [text.get_text() for text in draw_axes([0, 0.001, 0.01, 0.1]).get_xticklabels()]
    assert labels == ["0", "0.001", "0.01", "0.1"]
    labels = [text.get_text() for text in draw_axes([-0.2, 0, 0.2]).get_xticklabels()]
    assert labels == ["−0.2", "0", "0.2"]  # the minus of the other axis


def sizes(values, seeds=(0, 1)):
    """A sweep over the number of training images, of which `all` is one."""
    return [
        View(seed=seed, settings={"train_size": size}, numbers={"test_accuracy": 0.9 + place / 50})
        for place, size in enumerate(values)
        for seed in seeds
    ]


@pytest.mark.parametrize(
    ("values", "scale", "ticks"),
    [
        ([100, 200, 400, "all"], "linear", [100, 200, 400, 550]),
        (["all", 100, 1000, 10000], "log", [100, 1000, 10000, 100000]),
        ([100, "all"], "linear", [100, 101]),
    ],
)
def test_a_word_in_place_of_a_number_is_a_tick_beyond_the_numbers(values, scale, ticks):
    """0 stands for all images; at 0 it would be the smallest training set."""
    (axes,) = draw_figure(sizes(values), over="train_size")
    assert axes.get_xscale() == scale
    np.testing.assert_allclose(axes.get_xticks(), ticks)
    assert [text.get_text() for text in axes.get_xticklabels()][-1] == "all"
    (line,) = axes.lines
    x, y = line.get_data()
    shown = np.isfinite(x)
    np.testing.assert_allclose(x[shown], ticks)
    assert not shown[-2]  # no line leads from the last number to a word
    assert y[-1] == pytest.approx(90 + 2 * values.index("all"))


def test_a_word_alone_is_no_axis():
    with pytest.raises(UsageError, match="--over lr_scale: no such axis"):
        draw_figure(
            [
                View(settings={"lr_scale": text, "lambda": n})
                for n, text in enumerate(("1 for both", "loss=2"))
            ],
            over="lr_scale",
        )


def swept(lambdas=(0.001, 0.01, 0.1), alphas=(0.5,), seeds=(0, 1, 2)):
    return [
        View(
            seed=seed,
            settings={"loss": "center", "lambda": lam, "alpha": alpha, "network": "compact"},
            numbers={"test_accuracy": 0.9 + lam / 2 + alpha / 100 + seed / 1000, "spread-gap": lam},
        )
        for lam in lambdas
        for alpha in alphas
        for seed in seeds
    ]


def draw_figure(runs, over="", metric="test_accuracy"):
    return render_figure(lambda figure: curves.draw_figure(figure, runs, over=over, metric=metric)).axes


def test_seeds_of_a_setting_are_one_point_with_their_interval():
    runs = swept()
    (axes,) = draw_figure(runs)
    line = axes.lines[0]
    np.testing.assert_array_equal(line.get_xdata(), [0.001, 0.01, 0.1])
    at_first = mean_interval([100 * run.numbers["test_accuracy"] for run in runs[:3]])
    assert line.get_ydata()[0] == pytest.approx(at_first.mean)
    band = next(c for c in axes.collections if not isinstance(c, PathCollection))
    edge = band.get_paths()[0].vertices
    ends = edge[np.isclose(edge[:, 0], 0.001), 1]
    assert ends.max() - ends.min() == pytest.approx(2 * at_first.half_width)
    points = np.concatenate([c.get_offsets() for c in axes.collections if isinstance(c, PathCollection)])
    assert len(points) == 9
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("λ", "test accuracy (%)")
    assert [legend.get_texts() for legend in axes.get_figure().legends] == [[]]  # one line needs no name


@pytest.mark.parametrize(
    ("losses", "name", "title"),
    [
        (["arcface"], "margin", "margin m (rad)"),
        (["arcface", "magface+curricularface"], "margin", "margin m (rad)"),
        (["cosface"], "margin", "margin m"),  # of the cosine
        (["arcface", "cosface"], "margin", "margin m"),
        (["softmax+triplet"], "margin", "margin m"),  # a distance
        (["arcface+triplet"], "arcface.margin", "arcface m (rad)"),
        (["arcface+triplet"], "triplet.margin", "triplet m"),
        (["mine:Loss"], "margin", "margin m"),
        (["arcface"], "scale", "scale s"),
        (["center"], "alpha", "α"),
    ],
)
def test_an_axis_has_the_unit_that_the_losses_give_it(losses, name, title):
    assert axis_title(name, [View(settings={"loss": loss}) for loss in losses]) == title


def test_what_else_was_swept_is_a_line_of_its_own():
    (axes,) = draw_figure(swept(alphas=(0.1, 0.5)))
    (legend,) = axes.get_figure().legends
    assert [text.get_text() for text in legend.get_texts()] == ["α = 0.1", "α = 0.5"]
    assert [line.get_color() for line in axes.lines] == list(PALETTE[:2])
    (axes,) = draw_figure(swept(alphas=(0.1, 0.5)), over="alpha")
    assert axes.get_xlabel() == "α"
    assert len(axes.lines) == 3


def test_long_names_of_lines_leave_room_for_the_axes():
    runs = swept(alphas=(0.1, 0.5))
    for run in runs:
        nesterov, momentum = (True, 0.9) if run.settings["alpha"] == 0.5 else (False, 0.95)
        run.settings |= {"weight_decay": 0.0005 * momentum, "momentum": momentum, "nesterov": nesterov}
    axes = draw_figure(runs, over="lambda", metric="test_accuracy,spread-gap")
    (legend,) = axes[0].get_figure().legends
    for each in axes:
        area = each.get_window_extent()
        assert area.width > 150
        assert not area.overlaps(legend.get_window_extent())


def test_an_option_that_some_runs_do_not_have_is_not_named_there():
    """AdamW has no momentum."""
    runs = swept(alphas=(0.1, 0.5))
    for run in runs:
        muon = run.settings["alpha"] == 0.5
        run.settings |= {"optimizer": "muon" if muon else "adamw", "momentum": 0.9 if muon else None}
    (axes,) = draw_figure(runs)
    assert [line.get_label() for line in axes.lines] == [
        "α = 0.1, optimizer = adamw",
        "α = 0.5, optimizer = muon, momentum = 0.9",
    ]
    with pytest.raises(UsageError, match="--over momentum: no such axis"):
        draw_figure(runs, over="momentum")


def test_every_metric_has_an_axes_and_a_missing_number_no_point():
    runs = swept()
    del runs[0].numbers["spread-gap"]
    first, second = draw_figure(runs, metric="test_accuracy,spread-gap")
    assert second.get_ylabel() == "spread/gap"
    points = [c for c in second.collections if isinstance(c, PathCollection)]
    assert sum(len(c.get_offsets()) for c in points) == 8
    assert sum(len(c.get_offsets()) for c in first.collections if isinstance(c, PathCollection)) == 9


def test_what_cannot_be_drawn_is_one_sentence():
    with pytest.raises(RunError, match="differ in 1 numeric setting; the 3 runs of center differ in none"):
        draw_figure(swept(lambdas=(0.1,)))
    with pytest.raises(RunError, match="numeric setting; there is one run of center only. `lossbench sweep`"):
        draw_figure(swept(lambdas=(0.1,))[:1])
    with pytest.raises(UsageError, match="--over scale: no such axis; the 9 runs of center differ in lambda"):
        draw_figure(swept(), over="scale")
    with pytest.raises(UsageError, match=r"--over alpha,lambda: this figure takes one name\.$"):
        draw_figure(swept(alphas=(0.1, 0.5)), over="alpha,lambda")
    with pytest.raises(RunError, match="None of these runs has eer; `lossbench compare --metric eer`"):
        draw_figure(swept(), metric="eer")


@pytest.mark.parametrize(
    ("values", "scale", "marked"),
    [
        ([0.1, 0.2, 0.4], "linear", [0.1, 0.2, 0.4]),
        ([1.3**n for n in range(9)], "linear", [1.3**n for n in range(0, 9, 2)]),
        ([0.001, 0.01, 0.1], "log", [0.001, 0.01, 0.1]),
        ([0.0, 0.001, 0.01, 0.1], "symlog", [0.0, 0.001, 0.01, 0.1]),
        ([2.0**n for n in range(9)], "log", [2.0**n for n in range(9)]),
        ([10.0 ** (n / 3) for n in range(-9, 1)], "log", [10.0 ** (n / 3) for n in range(-9, 1, 3)]),
    ],
)
def test_the_values_that_ran_are_marked_as_far_as_there_is_room(values, scale, marked):
    (axes,) = draw_figure(swept(lambdas=values, seeds=(0,)))
    assert axes.get_xscale() == scale
    np.testing.assert_allclose(axes.get_xticks(), marked)
    assert [text.get_text() for text in axes.get_xticklabels()] == [f"{value:g}" for value in marked]
    boxes = [text.get_window_extent() for text in axes.get_xticklabels()]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_the_bands_are_named_where_there_are_several_seeds():
    several, single = swept(seeds=(0, 1)), swept(seeds=(0,))
    for runs, named in ((several, True), (single, False)):
        drawn = render_figure(
            lambda figure, runs=runs: curves.draw_figure(figure, runs, over="", metric="test_accuracy")
        )
        words = [legend.get_title().get_text() for legend in drawn.legends]
        assert any("95 % intervals" in each for each in words) is named
        assert not drawn.get_supxlabel()  # a legend would lie over it


def test_the_loss_is_named_once():
    """Above all axes where there is one, else at each line."""
    one, other = swept(), swept()
    for run in other:
        run.title = "Island"
        run.settings = {**run.settings, "loss": "island"}
    for runs, title in ((one, one[0].title), ([*one, *other], "")):
        drawn = render_figure(
            lambda figure, runs=runs: curves.draw_figure(figure, runs, over="", metric="test_accuracy")
        )
        assert drawn.get_suptitle() == title
