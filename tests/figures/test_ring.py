"""The ring, asked through its artists: strokes, profiles, arcs, rays, names."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from lossbench.errors import RunError
from lossbench.figures import ring
from lossbench.figures._style import PALETTE, STYLES
from lossbench.records import Embedding
from lossbench.reports.figure_files import render_figure
from tests.figures.views import DIGITS, View, directions, embedding


def artists(axes, prefix):
    return [artist for artist in axes.get_children() if str(artist.get_gid()).startswith(prefix)]


def drawn(part=None, weight=None, highest=0.5):
    axes = Figure().subplots()
    part = embedding(200) if part is None else part
    ring.draw_axes(axes, part, DIGITS, weight, highest=highest)
    return axes, part


def turned(vectors):
    return np.arctan2(vectors[..., 1], vectors[..., 0])


def test_the_density_is_one_per_circle_and_has_the_spread_of_the_angles():
    random = np.random.RandomState(0)
    angles = np.radians(180) + np.radians(5) * random.randn(20_000)  # across the angle where -pi meets pi
    found = ring.density(np.angle(np.exp(1j * angles)))
    step = 360 / len(found)
    assert found.sum() * step == pytest.approx(1)
    assert abs(found.argmax() * step - 180) < 1.5
    assert found.max() == pytest.approx(1 / (5 * np.sqrt(2 * np.pi)), rel=0.05)


def test_a_class_on_one_ray_still_has_an_area():
    found = ring.density(np.full(50, 1.0))
    assert np.isfinite(found).all()
    assert 0.5 < found.max() < 2  # of 0.4 degrees


def test_every_feature_is_a_stroke_across_the_circle_in_its_colour():
    axes, part = drawn()
    (strokes,) = artists(axes, "features")
    ends = np.array(strokes.get_segments())
    np.testing.assert_allclose(np.linalg.norm(ends, axis=-1).mean(axis=1), 1, atol=1e-6)
    for segment, shade in zip(ends[::37], strokes.get_colors()[::37], strict=True):
        label = np.abs(np.exp(1j * turned(part.features)) - np.exp(1j * turned(segment[0]))).argmin()
        np.testing.assert_allclose(shade[:3], to_rgb(PALETTE[part.labels[label]]), atol=1e-6)


def test_a_profile_points_where_its_class_is_and_is_as_high_as_its_density():
    axes, part = drawn(highest=0.5)
    for label in range(10):
        (profile,) = artists(axes, f"profile-{label}")
        corners = profile.get_xy()
        reach = np.linalg.norm(corners, axis=1)
        own = part.features[part.labels == label].astype(float)
        between = turned(corners[reach.argmax()]) - turned(own.mean(axis=0))
        assert abs(np.angle(np.exp(1j * between))) < np.radians(2)
        height = reach.max() - reach.min()
        assert height == pytest.approx(ring.density(turned(own)).max() / 0.5 * 0.5, rel=1e-3)


def test_an_arc_covers_95_percent_of_its_class():
    part = embedding(4000, noise=0.5)
    axes, _ = drawn(part)
    (arc,) = artists(axes, "arc-3")
    ends = turned(arc.get_xydata()[[0, -1]])
    own = turned(part.features[part.labels == 3])
    assert np.mean((own > ends.min()) & (own < ends.max())) == pytest.approx(0.95, abs=0.01)


def test_weights_are_rays_and_names_stand_outside():
    axes, part = drawn(weight=7 * directions())
    for label in range(10):
        (line,) = artists(axes, f"weight-{label}")
        end = line.get_xydata()[1]
        np.testing.assert_allclose(end / np.linalg.norm(end), directions()[label], atol=1e-9)
    names = {artist.get_text(): artist.get_position() for artist in artists(axes, "class-glyph")}
    assert sorted(names) == list(DIGITS)
    for label in range(10):
        assert np.linalg.norm(names[str(label)]) > 1.1
        assert turned(np.array(names[str(label)]) @ _rotation(label)) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("noise", [0.02, 0.3])
def test_a_name_stands_beyond_the_profile_of_its_class_and_inside_the_axes(noise):
    part = embedding(400, noise=noise)
    highest = max(ring.density(turned(part.features[part.labels == label])).max() for label in range(10))
    axes, _ = drawn(part, highest=highest)
    names = {artist.get_text(): artist.get_position() for artist in artists(axes, "class-glyph")}
    for label in range(10):
        (profile,) = artists(axes, f"profile-{label}")
        beyond = np.linalg.norm(names[str(label)]) - np.linalg.norm(profile.get_xy(), axis=1).max()
        assert 0.05 < beyond < 0.2
        assert np.abs(names[str(label)]).max() < axes.get_xlim()[1]


@pytest.mark.parametrize("style", STYLES)
def test_no_name_is_cut_by_the_axes(style):
    angles = np.pi / 4 * np.arange(8).repeat(20)  # classes on single rays have profiles of full height
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    part = Embedding(features, np.arange(8).repeat(20), np.arange(8).repeat(20))
    runs = [View(splits={"train": part, "test": part})] * 2
    figure = render_figure(lambda figure: ring.draw_figure(figure, runs, split="test"), style)
    for axes in figure.axes:
        for name in artists(axes, "class-glyph"):
            box = name.get_window_extent()
            assert (axes.bbox.min <= box.min).all() and (box.max <= axes.bbox.max).all(), name.get_text()


def _rotation(label):
    x, y = directions()[label]
    return np.array([[x, -y], [y, x]])


def test_densities_have_one_scale_in_all_panels():
    figure = Figure(layout="constrained")
    narrow = {"train": embedding(400), "test": embedding(400, noise=0.05)}
    wide = {"train": embedding(400), "test": embedding(400, noise=0.5)}
    ring.draw_figure(figure, [View(splits=narrow), View(splits=wide)], split="test")
    heights = []
    for axes in figure.axes:
        reach = [np.linalg.norm(patch.get_xy(), axis=1) for patch in artists(axes, "profile")]
        heights.append(max(r.max() - r.min() for r in reach))
    assert heights[0] == pytest.approx(0.5, rel=1e-3)
    assert heights[1] < 0.3 * heights[0]


def test_other_dimensions_and_missing_splits_are_one_clear_sentence():
    flat = View(splits={"train": embedding(50, dim=3), "test": embedding(50, dim=3)})
    with pytest.raises(RunError, match="3-D; train one with --feature-dim 2"):
        ring.draw_figure(Figure(), [flat], split="test")
    with pytest.raises(RunError, match="no test features; it has train"):
        ring.draw_figure(Figure(), [View(splits={"train": embedding(50)})], split="test")
