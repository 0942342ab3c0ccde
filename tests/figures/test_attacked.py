"""Attacked images in the plane: which features are drawn, which are marked, and what the shade is."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from lossbench.errors import RunError
from lossbench.figures import attacked
from lossbench.records import Embedding
from lossbench.reports.figure_files import render_figure
from tests.figures.views import DIGITS, View, directions, embedding


def drawn(*runs):
    figure = Figure(layout="constrained")
    attacked.draw_figure(figure, runs)
    return figure


def points_of(axes, name):
    (marks,) = [collection for collection in axes.collections if collection.get_gid() == name]
    return np.asarray(marks.get_offsets())


def in_order(points):
    return points[np.lexsort(points.T)]


def test_the_same_images_are_drawn_as_they_are_and_attacked_at_equal_limits():
    run = View()
    clean, after = drawn(run).axes
    for axes, features in zip((clean, after), run.attacked_features(0.1), strict=True):
        np.testing.assert_allclose(in_order(points_of(axes, "features")), in_order(features), rtol=1e-6)
    assert len(points_of(clean, "features")) < len(run.splits["test"].labels)
    assert clean.get_xlim() == after.get_xlim() == clean.get_ylim()


def test_those_of_another_class_than_their_own_are_marked_and_counted():
    run = View()
    labels = run.splits["test"].labels
    for axes, features, what in zip(
        drawn(run).axes, run.attacked_features(0.1), ("as they are", "after FGSM"), strict=True
    ):
        nearest = (features @ directions().T).argmax(axis=1)
        wrong = features[nearest != labels[: len(features)]]
        np.testing.assert_allclose(points_of(axes, "wrong"), wrong, rtol=1e-6)
        assert axes.get_xlabel() == f"{what}: {100 - 100 * len(wrong) / len(features):.1f} % right"
    assert len(wrong) > 10


def test_class_names_stand_at_the_images_as_they_are():
    clean, after = (
        {text.get_text(): text.get_position() for text in axes.texts if text.get_gid() == "class-glyph"}
        for axes in drawn(View()).axes
    )
    assert set(clean) == set(DIGITS)
    assert clean == after


@pytest.mark.parametrize("cosine", [False, True])
def test_the_shade_is_the_distance_to_the_nearest_training_class_mean(cosine):
    run = View(cosine=cosine)
    axes = drawn(run).axes[0]
    (image,) = [each for each in axes.images if each.get_gid() == "distance"]
    shade = np.asarray(image.get_array())
    left, right, *_ = image.get_extent()
    pixels = left + (np.arange(200) + 0.5) * (right - left) / 200
    train = run.splits["train"]
    points = (
        train.features / np.linalg.norm(train.features, axis=1, keepdims=True) if cosine else train.features
    )
    means = [points[train.labels == label].mean(axis=0) for label in range(10)]
    for row, column in ((3, 10), (120, 80), (199, 150)):
        place = np.array([pixels[column], pixels[row]])
        place = place / np.linalg.norm(place) if cosine else place
        expected = min(np.linalg.norm(place - mean) for mean in means)
        assert shade[row, column] == pytest.approx(expected, rel=1e-5)


def test_all_images_are_called_so():
    splits = View().splits
    few = Embedding(*(part[:150] for part in splits["test"]))
    for test, words in ((splits["test"], "the first 150 test images"), (few, "all 150 test images")):
        (legend,) = drawn(View(splits={**splits, "test": test})).legends
        assert words in legend.get_title().get_text()


def test_only_the_plane_can_be_drawn():
    with pytest.raises(RunError, match="--feature-dim 2"):
        drawn(View(splits={name: embedding(dim=3) for name in ("train", "test")}))


@pytest.mark.parametrize("style", ["paper", "slides"])
def test_nothing_of_the_figure_is_cut(style):
    figure = render_figure(lambda f: attacked.draw_figure(f, [View(centers=5 * directions())] * 2), style)
    page = figure.get_tightbbox().get_points()
    assert (page[0] >= 0).all() and (page[1] <= figure.get_size_inches()).all()
