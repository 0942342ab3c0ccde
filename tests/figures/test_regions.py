"""Decision regions: who wins where, and the band where the winner's own loss exceeds log 2."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from lossbench.errors import RunError
from lossbench.figures import _requirements, regions
from lossbench.figures._style import PALETTE
from tests.figures.views import View, directions, embedding


@dataclass
class Margin(View):
    """Cosine scores; the loss of a class is log 2 a margin of `degrees` before its border."""

    degrees: float = 8.0

    def loss_values(self, points, label):
        cosine = points @ directions()[label] / np.linalg.norm(points, axis=1)
        away = np.degrees(np.arccos(cosine.clip(-1, 1)))
        return np.log(2) * np.exp(away - (18 - self.degrees)), np.zeros_like(points)


class Pairs(View):
    """A loss that has no value for one sample."""

    def loss_values(self, points, label):
        raise RunError("compares samples")


def image_of(run):
    axes = Figure().subplots()
    banded = regions.draw_axes(axes, run, "test")
    (image,) = [artist for artist in axes.images if artist.get_gid() == "regions"]
    return axes, image, banded


def shade_at(image, degrees, radius=4.0):
    left, right, low, high = image.get_extent()
    x, y = radius * np.cos(np.radians(degrees)), radius * np.sin(np.radians(degrees))
    array = np.asarray(image.get_array())
    rows, columns = array.shape[:2]
    return array[int((y - low) / (high - low) * rows), int((x - left) / (right - left) * columns)][:3]


def tint(label, opacity):
    return opacity * np.array(to_rgb(PALETTE[label])) + (1 - opacity)


def test_the_ground_has_the_colour_of_the_class_that_wins():
    _, image, _ = image_of(Pairs())
    for label in range(10):
        for aside in (-16, 0, 16):
            np.testing.assert_allclose(shade_at(image, 36 * label + aside), tint(label, 0.17), atol=1e-6)


def test_the_band_begins_a_margin_before_the_border():
    _, image, banded = image_of(Margin())
    assert banded
    for label in (0, 3, 7):
        for aside, opacity in ((0, 0.17), (9.2, 0.17), (-9.2, 0.17), (10.8, 0.42), (-16, 0.42)):
            np.testing.assert_allclose(shade_at(image, 36 * label + aside), tint(label, opacity), atol=1e-6)


def test_borders_are_thin_lines_between_regions():
    axes, image, _ = image_of(Pairs())
    vertices = np.concatenate(
        [path.vertices for c in axes.collections for path in c.get_paths() if hasattr(c, "levels")]
    )
    radius = np.linalg.norm(vertices, axis=1)
    angles = np.degrees(np.arctan2(*vertices.T[::-1]))[(radius > 3) & (np.abs(vertices).max(axis=1) < 5)]
    assert len(angles) > 100
    assert np.abs((angles % 36) - 18).max() < 1


def test_features_lie_on_top_at_the_same_limits():
    axes, image, _ = image_of(View())
    (cloud,) = [artist for artist in axes.collections if artist.get_gid() == "features"]
    assert len(cloud.get_offsets()) == 200
    assert cloud.get_zorder() > image.get_zorder()
    assert image.get_extent()[1] == pytest.approx(axes.get_xlim()[1], rel=0.01)


def test_a_loss_on_pairs_has_regions_and_no_band():
    def legend(run):
        figure = Figure(layout="constrained")
        regions.draw_figure(figure, [run], split="test")
        return [text.get_text() for text in figure.legends[0].get_texts()]

    without = [
        "colour of the class with the largest score",
        "boundary between classes",
        "direction of a class weight, not a boundary",
    ]
    assert legend(Pairs()) == without
    with_band = legend(Margin())
    assert "exceeds log 2" in with_band[1]
    assert [with_band[0], *with_band[2:]] == without


def test_columns_of_scores_are_the_classes_trained_on():
    classes = np.array([2, 5, 7])
    scores = np.array([[0.1, 0.9, 0.2], [3.0, 1.0, 2.0]])
    np.testing.assert_array_equal(_requirements.winners(scores, classes), [5, 2])
    every = np.zeros((1, 10))
    every[0, [4, 7]] = 9.0, 1.0  # 4 was never trained on
    np.testing.assert_array_equal(_requirements.winners(every, classes), [7])


def test_other_dimensions_are_one_clear_sentence():
    deep = embedding(50, dim=3)
    with pytest.raises(RunError, match="--feature-dim 2"):
        regions.draw_figure(Figure(), [View(splits={"train": deep, "test": deep})], split="test")
