"""Target-logit curves: what is drawn, who shares a line, and names that never overlap."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from lossbench.errors import RunError
from lossbench.figures import target_logits
from lossbench.figures.target_logits import Curve
from tests.figures.views import View

ANGLES = np.linspace(0, np.pi, 91)


def arcface(margin=0.5):
    return ANGLES, np.cos(np.minimum(ANGLES + margin, np.pi))


def lines_of(axes):
    return {line.get_gid(): line for line in axes.lines if line.get_gid()}


def names_of(axes):
    return [text for text in axes.texts if text.get_gid() == "name"]


def test_a_curve_is_drawn_in_degrees_beside_the_cosine():
    axes = Figure().subplots()
    target_logits.draw_axes(axes, [Curve("ArcFace", *arcface())])
    lines = lines_of(axes)
    x, y = lines["ArcFace"].get_data()
    np.testing.assert_allclose(x, np.degrees(ANGLES))
    np.testing.assert_allclose(y, arcface()[1])
    x, y = lines["cosine, no margin"].get_data()
    np.testing.assert_allclose(y, np.cos(np.radians(x)))
    assert lines["ArcFace"].get_color() != lines["cosine, no margin"].get_color()


def test_losses_with_one_curve_share_a_line():
    axes = Figure().subplots()
    plain = Curve("NormFace", ANGLES, np.cos(ANGLES))
    target_logits.draw_axes(axes, [plain, Curve("A", *arcface()), Curve("B", *arcface())])
    drawn = {name for name in lines_of(axes) if name != "half-way"}
    assert drawn == {"cosine, no margin\nNormFace", "A\nB"}


@pytest.mark.parametrize("count", [1, 8, 25])
def test_names_stand_in_the_order_of_the_ends_and_apart(count):
    figure = Figure(figsize=(6.2, max(3.2, 1.0 + 0.2 * count)))
    axes = figure.subplots()
    target_logits.draw_axes(
        axes, [Curve(f"m{m}", ANGLES, np.cos(ANGLES) - 0.01 * m) for m in range(1, count + 1)]
    )
    names = names_of(axes)
    assert [name.get_text() for name in names][:2] == ["cosine, no margin", "m1"]
    figure.canvas.draw()
    boxes = [name.get_window_extent() for name in names]
    for upper, lower in zip(boxes, boxes[1:], strict=False):
        assert upper.y0 > lower.y1 - 1
    assert boxes[-1].y0 >= axes.get_window_extent().y0 - 1


def test_names_of_curves_that_cross_stand_in_the_order_of_the_ends():
    axes = Figure().subplots()
    target_logits.draw_axes(axes, [Curve("above, then below", ANGLES, 1.4 * np.cos(ANGLES))])
    names = names_of(axes)
    assert [name.get_text() for name in names] == ["cosine, no margin", "above, then below"]
    assert names[0].xy[1] > names[1].xy[1]


def test_a_curve_far_below_does_not_flatten_the_others():
    axes = Figure().subplots()
    target_logits.draw_axes(axes, [Curve("SphereFace", ANGLES, np.cos(4 * ANGLES) - 8)])
    assert axes.get_ylim() == (-3.2, 1.1)
    target_logits.draw_axes(axes, [Curve("ArcFace", *arcface())])
    assert axes.get_ylim() == pytest.approx((-1.1, 1.1)) and axes.get_xlim() == (0, 180)
    target_logits.draw_axes(axes, [Curve("up", ANGLES, 3 * np.cos(ANGLES))])
    assert axes.get_ylim() == pytest.approx((-3.1, 1.4))


def test_a_line_per_loss_and_settings_and_none_for_a_loss_without_curve():
    figure = Figure(layout="constrained")
    runs = [
        View(title="ArcFace", subtitle="m = 0.5", curve=arcface()),
        View(title="ArcFace", subtitle="m = 0.5", curve=arcface(), seed=1),
        View(title="ArcFace", subtitle="m = 0.2", curve=arcface(0.2)),
        View(title="Softmax", subtitle=""),
    ]
    target_logits.draw_figure(figure, runs)
    (axes,) = figure.axes
    lines = lines_of(axes)
    assert set(lines) == {"cosine, no margin", "ArcFace (m = 0.5)", "ArcFace (m = 0.2)", "half-way"}
    assert lines["half-way"].get_xdata()[0] == pytest.approx(18)  # of ten classes in the plane
    figure.draw_without_rendering()
    (note,) = [text for text in axes.texts if "half way" in text.get_text()]
    assert axes.bbox.y0 < note.get_window_extent().y0 and note.get_window_extent().y1 < axes.bbox.y1


def test_a_setting_that_all_share_is_said_once_below():
    figure = Figure(layout="constrained")
    runs = [View(title="ArcFace", subtitle=f"m = {m}, s = 64", curve=arcface(m)) for m in (0.2, 0.5)]
    target_logits.draw_figure(figure, [*runs, View(title="NormFace", subtitle="s = 64", curve=arcface(0))])
    (axes,) = figure.axes
    assert {"ArcFace (m = 0.2)", "ArcFace (m = 0.5)"} < set(lines_of(axes))
    assert names_of(axes)[0].get_text() == "cosine, no margin\nNormFace"
    assert figure.get_supxlabel().startswith("All with s = 64. ")


def test_no_curve_at_all_is_one_clear_sentence():
    with pytest.raises(RunError, match="lossbench train --loss arcface"):
        target_logits.draw_figure(Figure(), [View()])
