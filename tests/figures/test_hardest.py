"""The hardest images, asked through the artists."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from lossbench.errors import RunError
from lossbench.figures import hardest
from lossbench.figures._style import FAINT, STYLES
from lossbench.records import Embedding
from lossbench.reports.figure_files import render_figure
from tests.figures.views import View, embedding


def view(margins, labels=None, predictions=None, **given):
    """One of three classes for each sample; the next class scores `margins` more than the true one. All
    scores of a sample are higher by its number, which changes no margin."""
    count = len(margins)
    labels = np.arange(count) % 3 if labels is None else np.array(labels)
    scores = np.full((count, 3), -50.0, np.float32)
    scores[np.arange(count), labels] = 0
    scores[np.arange(count), (labels + 1) % 3] = margins
    scores += np.arange(count, dtype=np.float32)[:, None]
    predictions = scores.argmax(1) if predictions is None else np.array(predictions)
    part = Embedding(np.zeros((count, 2), np.float32), labels, predictions, scores)
    pictures = np.zeros((count, 8, 8), np.uint8)
    pictures[:, 0, 0] = np.arange(count)
    return View(splits={"train": part, "test": part}, **{"pictures": pictures, **given})


def draw_figure(runs, style="paper"):
    return render_figure(lambda figure: hardest.draw_figure(figure, runs), style)


def found(axes, start):
    own = {c.get_gid(): c for c in axes.get_children() if str(c.get_gid()).startswith(start)}
    return [own[f"{start}-{number}"] for number in range(len(own))]


def shown(axes):
    return [int(image.get_array()[0, 0]) for image in found(axes, "image")]


def test_the_most_confident_mistakes_come_first():
    margins = np.random.RandomState(0).permutation(np.linspace(-1, 4, 60))
    axes = draw_figure([view(margins)]).axes[0]
    assert shown(axes) == np.argsort(-margins)[:20].tolist()


def test_true_and_predicted_class_stand_below_each_image():
    run = view([5.0, 4.0, 3.0] + [-9.0] * 30, labels=[0, 1, 2] + [0] * 30, class_names=("x", "y", "z"))
    axes = draw_figure([run]).axes[0]
    texts = found(axes, "names")
    assert [text.get_text() for text in texts[:4]] == ["x → y", "y → z", "z → x", "x → x"]
    images = found(axes, "image")
    (low, high), (lowest, highest) = sorted(axes.get_xlim()), sorted(axes.get_ylim())
    for text, image in zip(texts, images, strict=True):
        left, right, bottom, top = image.get_extent()
        x, y = text.get_position()
        assert x == pytest.approx((left + right) / 2)
        assert y > bottom > top  # the axis points down
        assert low < left < right < high and lowest < top < bottom < highest  # no image is cut off
    assert "3 of 33 wrong" in axes.get_title("left")


@pytest.mark.parametrize(("name", "text"), [("abc", "abc → xyz"), ("abcd", "abcd\n→ xyz")])
def test_names_of_more_than_six_letters_stand_above_each_other(name, text):
    axes = Figure().subplots()
    hardest.draw_axes(axes, [hardest.Tile(np.zeros((8, 8), np.uint8), name, "xyz")])
    assert [each.get_text() for each in axes.texts] == [text]


def test_where_few_are_wrong_the_least_certain_follow_faintly():
    margins = np.array([1.0, -0.5, -3.0, 2.0] + [-4.0] * 20)
    axes = draw_figure([view(margins)]).axes[0]
    assert shown(axes)[:4] == [3, 0, 1, 2]
    tints = [text.get_color() for text in found(axes, "names")[:4]]
    assert tints[2] == tints[3] == FAINT != tints[0] == tints[1]


def test_a_prediction_that_ties_is_judged_by_what_was_predicted():
    scores = np.zeros((3, 3), np.float32)
    order = hardest.hardest(scores, np.array([0, 1, 2]), np.array([0, 0, 0]), 3)
    assert order.tolist() == [1, 2, 0]


def test_fewer_images_than_room():
    axes = draw_figure([view([1.0, 2.0])]).axes[0]
    assert shown(axes) == [1, 0]


def test_images_are_crisp_and_drawn_in_ink_on_the_ground():
    for style, settings in STYLES.items():
        axes = draw_figure([view(np.ones(30))], style).axes[0]
        image = found(axes, "image")[0]
        assert image.get_interpolation() == "nearest"
        assert image.get_clim() == (0, 255)
        np.testing.assert_allclose(image.to_rgba(255)[:3], to_rgb(settings["text.color"]), atol=0.01)
        ground = to_rgb(settings.get("axes.facecolor", "white"))
        np.testing.assert_allclose(image.to_rgba(0)[:3], ground, atol=0.01)


def test_scores_of_a_run_are_asked_for_where_they_were_not_kept():
    part = embedding(60)._replace(scores=None)
    run = View(splits={"train": part, "test": part}, pictures=np.zeros((60, 8, 8), np.uint8))
    texts = [text.get_text() for text in found(draw_figure([run]).axes[0], "names")]
    wrong = [f"{label} → {(label + 1) % 10}" for label in (0,)]
    assert texts[:3] == wrong * 3  # every 20th prediction is wrong


def test_columns_of_scores_are_the_classes_trained_on():
    run = view([5.0, 4.0, 3.0] + [-9.0] * 30)
    moved = {
        name: part._replace(labels=part.labels + 2, predictions=part.predictions + 2)
        for name, part in run.splits.items()
    }  # classes 0 and 1 were kept out of training
    run.splits = moved
    assert [text.get_text() for text in found(draw_figure([run]).axes[0], "names")][:3] == [
        "2 → 3",
        "3 → 4",
        "4 → 2",
    ]


def test_a_run_judged_on_validation_has_no_test_images():
    with pytest.raises(RunError, match="has no test features"):
        draw_figure([View(splits={"train": embedding(), "val": embedding()})])


@pytest.mark.parametrize("style", list(STYLES))
@pytest.mark.parametrize("names", [tuple("012"), ("T-shirt", "pullover", "sneaker")])
def test_texts_do_not_touch_each_other_or_the_next_row(style, names):
    runs = [view(np.linspace(3, 1, 20), class_names=names)] * 2
    figure = draw_figure(runs, style)
    for axes in figure.axes:
        boxes = [text.get_window_extent() for text in found(axes, "names")]
        images = [image.get_window_extent() for image in found(axes, "image")]
        for n, box in enumerate(boxes):
            assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
            if n % 10 < 9:
                assert box.x1 < boxes[n + 1].x0
            if n < 10:
                assert box.y0 > images[n + 10].y1
    assert min(box.y0 for box in (t.get_window_extent() for t in found(figure.axes[0], "names"))) > (
        figure.axes[1].get_tightbbox().y1
    )
    assert figure.axes[1].get_tightbbox().y0 >= 0
