"""The training figure, asked through its artists."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lossbench.errors import RunError
from lossbench.figures import training
from lossbench.figures._style import PALETTE
from lossbench.reports.figure_files import render_figure
from tests.figures.views import View, epoch_records

LOSS, ACCURACY, SPREAD, GAP, RATE = (
    "loss terms, without their weights",
    "validation accuracy (%)",
    "spread of a class",
    "gap between classes",
    "learning rate",
)


def draw_figure(runs, style="paper"):
    figure = render_figure(lambda figure: training.draw_figure(figure, runs), style)
    return figure, {axes.get_title("left"): axes for axes in figure.axes if axes.axison}


def softmax(**given):
    records = [r._replace(terms={"softmax": 3.0 / r.epoch}, spread=9.0, gap=8.0) for r in epoch_records()]
    return View(title="Softmax", settings={"loss": "softmax"}, **{"epochs": records, **given})


def found(axes, gid):
    return next(artist for artist in axes.get_children() if artist.get_gid() == gid)


def test_every_number_has_a_panel_over_the_epochs():
    _, panels = draw_figure([View()])
    assert list(panels) == [LOSS, ACCURACY, SPREAD, GAP, RATE]
    records = epoch_records()
    for title, number in {
        ACCURACY: lambda r: 100 * r.val_accuracy,
        SPREAD: lambda r: r.spread,
        GAP: lambda r: r.gap,
        RATE: lambda r: r.learning_rate,
    }.items():
        line = found(panels[title], "course-0")
        np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3, 4, 5])
        np.testing.assert_allclose(line.get_ydata(), [number(record) for record in records])


def test_every_term_of_the_loss_is_a_line_in_the_colour_of_its_run():
    figure, panels = draw_figure([softmax(), View()])
    lines = [found(panels[LOSS], f"course-{number}") for number in range(3)]
    np.testing.assert_allclose(lines[0].get_ydata(), [3.0 / n for n in range(1, 6)])
    np.testing.assert_allclose(lines[2].get_ydata(), [0.5 / n for n in range(1, 6)])
    assert [line.get_color() for line in lines] == [PALETTE[0], PALETTE[1], PALETTE[1]]
    assert [line.get_linestyle() for line in lines] == ["-", "-", "--"]
    legend = panels[LOSS].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["softmax", "center"]
    assert [line.get_linestyle() for line in legend.get_lines()] == ["-", "--"]
    spare = next(axes for axes in figure.axes if not axes.axison)
    assert [text.get_text() for text in spare.get_legend().get_texts()] == ["Softmax", "Center"]
    assert "loss" in draw_figure([softmax()])[1]  # one term is the loss itself


def test_terms_of_other_names_have_other_dashes():
    names = ("center", "island", "ring", "git", "range", "triplet-center", "contrastive-center", "x", "y")
    runs = [
        View(title=name, settings={"loss": name},
             epochs=[r._replace(terms={"softmax": 1.5, name: 0.5}) for r in epoch_records()])
        for name in names
    ]  # fmt: skip
    figure, panels = draw_figure(runs)
    lines = [found(panels[LOSS], f"course-{number}") for number in range(2 * len(names))]
    assert len({str(line._unscaled_dash_pattern) for line in lines}) == 1 + len(names)
    assert panels[LOSS].get_legend() is None  # it would hide the lines
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [*names, "softmax", *names]


def test_seeds_are_one_line_with_their_range_as_band():
    runs = [View(seed=seed, epochs=epoch_records(seed=seed)) for seed in (0, 1, 4)]
    figure, panels = draw_figure(runs)
    np.testing.assert_allclose(
        found(panels[ACCURACY], "course-0").get_ydata(),
        np.mean([[100 * record.val_accuracy for record in run.epochs] for run in runs], axis=0),
    )
    heights = found(panels[ACCURACY], "range-0").get_paths()[0].vertices
    at_third = heights[np.isclose(heights[:, 0], 3), 1]
    assert at_third.min() == pytest.approx(100 * runs[2].epochs[2].val_accuracy)
    assert at_third.max() == pytest.approx(100 * runs[0].epochs[2].val_accuracy)
    spare = next(axes for axes in figure.axes if not axes.axison)
    assert spare.get_legend().get_title().get_text() == "mean and range of 3 seeds"
    _, alone = draw_figure(runs[:1])
    assert not any(str(child.get_gid()).startswith("range") for child in alone[ACCURACY].get_children())


def test_a_seed_that_ended_earlier_counts_as_long_as_it_trained():
    short, long = epoch_records(3), epoch_records(5, seed=4)
    _, panels = draw_figure([View(seed=0, epochs=short), View(seed=4, epochs=long)])
    line = found(panels[ACCURACY], "course-0")
    np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3, 4, 5])
    both = [50 * (one.val_accuracy + other.val_accuracy) for one, other in zip(short, long, strict=False)]
    np.testing.assert_allclose(line.get_ydata(), [*both, *(100 * each.val_accuracy for each in long[3:])])


def test_what_nobody_wrote_down_has_no_panel():
    old = [r._replace(spread=math.nan, gap=math.nan) for r in epoch_records()]
    figure, panels = draw_figure([View(epochs=old)])
    assert list(panels) == [LOSS, ACCURACY, RATE]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Center, λ = 0.003, α = 0.5"]
    _, panels = draw_figure([View(epochs=old), softmax()])  # one of them has it
    assert list(panels) == [LOSS, ACCURACY, SPREAD, GAP, RATE]
    unseen = [r._replace(val_accuracy=math.nan) for r in old]
    assert list(draw_figure([View(epochs=unseen)])[1]) == [LOSS, RATE]
    with pytest.raises(RunError, match="no record of its epochs"):
        training.draw_figure(Figure(), [View(epochs=[])])


def test_what_is_the_same_for_all_is_one_line_in_ink():
    _, panels = draw_figure([View(), softmax()], "dark")
    rates = [line for line in panels[RATE].lines if str(line.get_gid()).startswith("course")]
    assert [line.get_color() for line in rates] == ["#ececec"]
    assert len(panels[GAP].lines) == 2


def test_scales_follow_the_numbers():
    _, panels = draw_figure([View()])
    assert panels[LOSS].get_yscale() == "log"  # from 1.5 to 0.1
    assert panels[GAP].get_yscale() == "linear"
    for smallest, scale in ((0.1, "linear"), (0.099, "log")):  # exactly a decade does not need one
        epochs = [
            each._replace(spread=value) for each, value in zip(epoch_records(2), (1.0, smallest), strict=True)
        ]
        assert draw_figure([View(epochs=epochs)])[1][SPREAD].get_yscale() == scale
    _, panels = draw_figure([View(epochs=epoch_records(40))])
    assert panels[RATE].get_yscale() == "linear"  # it ends near 0, of which nobody wants to see the size
    assert all(float(tick).is_integer() for tick in panels[GAP].get_xticks())


@pytest.mark.parametrize("style", ["paper", "slides", "dark"])
def test_nothing_leaves_the_page(style):
    runs = [View(settings={"loss": "center", "lambda": lam}) for lam in (0.001, 0.01, 0.1, 1.0)]
    figure, panels = draw_figure(runs, style)
    page = figure.bbox
    spare = next(axes for axes in figure.axes if not axes.axison)
    for box in [axes.get_tightbbox() for axes in panels.values()] + [spare.get_legend().get_window_extent()]:
        assert page.x0 <= box.x0 and box.x1 <= page.x1
        assert page.y0 <= box.y0 and box.y1 <= page.y1


@pytest.mark.parametrize("values", [[0.6, 0.07, 0.02], [0.36, 0.01, 2e-4], [3e3, 1, 1e-6]])
def test_labels_of_a_logarithmic_axis_do_not_overlap(values):
    figure = Figure(figsize=(2.5, 1.9), layout="constrained")
    axes = figure.subplots()
    training.draw_axes(axes, [training.Course(PALETTE[0], "-", "", np.array([values]))], title="loss")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    labels = [label for label in axes.get_yticklabels(which="both") if label.get_text()]
    low, high = axes.get_ylim()
    boxes = [each.get_window_extent() for each in labels if low <= each.get_position()[1] <= high]
    boxes.sort(key=lambda box: box.y0)
    assert len(boxes) >= 3
    assert all(lower.y1 <= upper.y0 for lower, upper in itertools.pairwise(boxes))


def test_a_long_name_leaves_the_panels_their_width():
    figure, panels = draw_figure([View(subtitle="arcface m = 0.3, s = 16, λ = 0.1, triplet m = 1")])
    assert panels[LOSS].get_position().width * figure.get_figwidth() > 2


def test_many_names_stand_above_the_panels():
    """In the panel that is not needed they would push the others apart."""
    runs = [View(settings={"loss": "center", "lambda": float(count)}) for count in range(12)]
    figure, panels = draw_figure(runs)
    assert len(figure.legends[0].get_texts()) == 12
    assert panels[LOSS].get_position().height == pytest.approx(panels[RATE].get_position().height, rel=0.05)
    below, top = panels[GAP].get_tightbbox(), panels[LOSS].get_tightbbox()
    assert top.y0 - below.y1 < 0.2 * figure.bbox.height
    assert panels[RATE].get_position().x1 == pytest.approx(panels[SPREAD].get_position().x1)
    assert figure.get_figwidth() == pytest.approx(7.6)  # no wider for the names
    assert figure.legends[0].get_window_extent().y0 >= top.y1 - 1
