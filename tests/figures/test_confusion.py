"""The confusion matrix, asked through its artists."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.text import Text

from lossbench.errors import RunError
from lossbench.figures import confusion
from lossbench.figures._style import STYLES, contrast
from lossbench.records import Embedding
from lossbench.reports.figure_files import render_figure
from tests.figures.views import View, embedding


def view(labels, predictions, **given):
    points = np.zeros((len(labels), 2), np.float32)
    part = Embedding(points, np.array(labels), np.array(predictions))
    return View(splits={"train": part, "test": part}, **given)


def draw_figure(runs, style="paper"):
    return render_figure(lambda figure: confusion.draw_figure(figure, runs), style)


def found(axes, start):
    return {c.get_gid(): c for c in axes.get_children() if str(c.get_gid()).startswith(start)}


def test_numbers_are_counts_of_true_rows_and_predicted_columns():
    run = view([0] * 10 + [1] * 10 + [2] * 5, [0] * 7 + [1] * 3 + [1] * 10 + [2] * 4 + [0])
    axes = draw_figure([run]).axes[0]
    numbers = {gid: text.get_text() for gid, text in found(axes, "count").items()}
    assert numbers == {
        "count-0-0": "7", "count-0-1": "3", "count-1-1": "10", "count-2-2": "4", "count-2-0": "1",
    }  # fmt: skip
    assert found(axes, "count")["count-0-1"].get_position() == (1.5, 0.5)
    assert axes.yaxis_inverted()
    assert [t.get_text() for t in axes.get_xticklabels()] == ["0", "1", "2"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
    right = axes.child_axes[0]
    assert [t.get_text() for t in right.get_yticklabels()] == ["70.0 %", "100.0 %", "80.0 %"]


def test_only_errors_have_a_colour_and_it_is_their_share_of_the_row():
    run = view([0] * 1000 + [1] * 10, [0] * 990 + [1] * 10 + [1] * 9 + [0])
    axes = draw_figure([run]).axes[0]
    mesh = found(axes, "errors")["errors"]
    shares = mesh.get_array().reshape(2, 2)
    assert shares.mask.tolist() == [[True, False], [False, True]]
    assert shares[0, 1] == pytest.approx(1)
    assert shares[1, 0] == pytest.approx(10)
    assert mesh.norm.vmax == pytest.approx(10)  # the diagonal does not stretch the scale
    assert mesh.norm(1.0) == pytest.approx(0.1**0.5)


def test_a_colour_means_the_same_in_every_panel():
    runs = [view([0] * 10 + [1], [0] * 9 + [1] + [1]), view([0] * 10 + [1], [0] * 5 + [1] * 5 + [1])]
    figure = draw_figure(runs)
    meshes = [found(axes, "errors")["errors"] for axes in figure.axes[:2]]
    assert [mesh.norm.vmax for mesh in meshes] == [50, 50]
    tints = [mesh.to_rgba(10.0) for mesh in meshes]
    assert tints[0] == tints[1]


@pytest.mark.parametrize("style", list(STYLES))
def test_numbers_stand_out_from_what_is_behind_them(style):
    """Between two colours of contrast 16 there is always one with a contrast of at least 4, nearly."""
    predictions = np.repeat(np.arange(10), np.arange(10) ** 2 + 1)
    axes = draw_figure([view(0 * predictions, predictions)], style).axes[0]
    mesh, numbers = found(axes, "errors")["errors"], found(axes, "count")
    shares = mesh.get_array().reshape(10, 10)[0]
    assert len(numbers) == 10
    for column in range(1, 10):
        behind = mesh.to_rgba(shares[column])[:3]
        assert contrast(numbers[f"count-0-{column}"].get_color(), behind) >= 3.8


def test_no_error_and_classes_never_trained_on_are_no_trouble():
    axes = draw_figure([view([0, 0, 2, 2], [0, 0, 2, 2])]).axes[0]
    assert found(axes, "errors")["errors"].get_array().mask.all()
    assert [t.get_text() for t in axes.get_xticklabels()] == ["0", "2"]
    with pytest.raises(RunError, match="has no test features"):
        draw_figure([View(splits={"train": embedding(), "val": embedding()})])


@pytest.mark.parametrize("style", list(STYLES))
@pytest.mark.parametrize("names", [tuple("0123456789"), tuple(f"pullover{n}" for n in range(10))])
def test_numbers_fit_their_cells_and_nothing_leaves_the_page(style, names):
    labels = np.arange(12_000) % 10
    predictions = np.where(np.arange(12_000) % 7 == 0, (labels + 1) % 10, labels)
    figure = draw_figure([view(labels, predictions, class_names=names)] * 2, style)
    for axes in figure.axes[:2]:
        cell = axes.get_window_extent().width / 10
        for text in found(axes, "count").values():
            assert text.get_window_extent().width <= cell
        box = axes.get_tightbbox()
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1
    first, second = (axes.get_tightbbox() for axes in figure.axes[:2])
    assert first.x1 <= second.x0


@pytest.mark.parametrize("count", [1, 2, 3])
def test_numbers_can_be_read_at_the_width_of_a_page(count):
    labels = np.arange(50) % 10
    figure = draw_figure([view(labels, (labels + (labels == 3)) % 10)] * count)
    pixels = 800 / figure.bbox.width
    numbers = found(figure.axes[0], "count").values()
    heights = [text.get_fontsize() * figure.dpi / 72 * pixels for text in numbers]
    assert min(heights) > 8
    every = [each for axes in figure.axes for each in (axes, *axes.child_axes)]
    (bar,) = (axes for axes in every if "% of the true class" in (axes.get_xlabel(), axes.get_ylabel()))
    assert not any(bar.get_tightbbox().overlaps(axes.get_tightbbox()) for axes in figure.axes[:count])


@pytest.mark.parametrize(
    ("names", "rotation"),
    [("0123456789", 0), ([f"c{n}" for n in range(10)], 0), ([f"class {n}" for n in range(10)], 90)],
)
def test_long_names_of_columns_stand_upright(names, rotation):
    runs = [View(class_names=tuple(names))]
    figure = render_figure(lambda figure: confusion.draw_figure(figure, runs))
    (labels,) = {tuple(axes.get_xticklabels()) for axes in figure.axes if axes.get_xlabel() == "predicted"}
    assert {text.get_rotation() for text in labels} == {rotation}
    assert [text.get_text() for text in labels] == list(names)


def test_a_dollar_in_the_name_of_a_class_is_a_dollar():
    """Between two of them Matplotlib would set a formula, or fail on one that is none."""
    names = ("$x^2$", r"$\foo$", "US$ 1-$9")
    figure = draw_figure([view([0, 1, 2], [0, 1, 1], class_names=names)])
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == list(names)
    assert not any(text.get_parse_math() for text in figure.findobj(Text))
