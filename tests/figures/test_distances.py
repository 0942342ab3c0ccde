"""Distances of pairs: which pairs are drawn, and what the histogram counts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from lossbench.errors import RunError
from lossbench.figures import distances
from lossbench.figures._style import PALETTE
from lossbench.reports.figure_files import render_figure
from tests.figures.views import View, embedding


def drawn(run, view="raw"):
    figure = Figure(layout="constrained")
    distances.draw_figure(figure, [run], split="test", view=view)
    return figure.axes


def segment(axes, name):
    (line,) = [line for line in axes.lines if line.get_gid() == f"pair-of-{name}"]
    return line.get_xydata()


def test_all_pairs_are_found_once_with_their_distance():
    part = embedding(60)
    same, other = distances.pairs_of(part.features, part.labels)
    expected = {
        (i, j): np.linalg.norm(part.features[i].astype(float) - part.features[j])
        for i, j in itertools.combinations(range(60), 2)
    }
    for pairs, of_one in ((same, True), (other, False)):
        wanted = {k: d for k, d in expected.items() if (part.labels[k[0]] == part.labels[k[1]]) == of_one}
        found = {tuple(sorted(k)): d for k, d in zip(pairs.samples.tolist(), pairs.distances, strict=True)}
        assert found == pytest.approx(wanted)


def test_so_many_pairs_are_nearer():
    pairs = distances.Pairs(
        np.random.RandomState(0).permutation(101.0 * np.arange(101)), np.eye(101, 2, dtype=int)
    )
    assert pairs.at(0.01)[0] == 101
    assert pairs.at(0.99)[0] == 99 * 101


def test_the_lines_join_a_pair_of_one_class_and_a_pair_of_two():
    run = View()
    part = run.splits["test"]
    features, histogram = drawn(run)
    lengths = {}
    for name, classes in (("one", 1), ("two", 2)):
        ends = segment(features, name)
        places = [int(np.square(part.features - end).sum(axis=1).argmin()) for end in ends]
        np.testing.assert_allclose(part.features[places], ends, atol=1e-6)
        assert len(set(part.labels[places])) == classes
        lengths[name] = np.linalg.norm(ends[0] - ends[1])
    shown = [text.get_text() for text in histogram.get_legend().get_texts()]
    assert shown == [f"{lengths[name]:.3g}" for name in ("two", "one")]
    positions = sorted(line.get_xdata()[0] for line in histogram.lines)
    assert positions == pytest.approx(sorted(lengths.values()))


def test_the_ends_have_the_colors_of_their_classes():
    run = View()
    part = run.splits["test"]
    features, _ = drawn(run)
    ends = [c for c in features.collections if c.get_zorder() == 7]
    for collection in ends:
        for place, shade in zip(collection.get_offsets(), collection.get_facecolors(), strict=True):
            label = part.labels[np.square(part.features - place).sum(axis=1).argmin()]
            assert tuple(shade) == pytest.approx(to_rgba(PALETTE[label]))
    assert len(ends) == 2


def test_directions_are_compared_on_the_circle():
    features, histogram = drawn(View(), "normalized")
    for name in ("one", "two"):
        np.testing.assert_allclose(np.linalg.norm(segment(features, name), axis=1), 1)
    assert histogram.get_xlim()[1] <= 2


def test_only_the_plane_can_be_drawn():
    with pytest.raises(RunError, match="--feature-dim 2"):
        drawn(View(splits={name: embedding(dim=3) for name in ("train", "test")}))


@pytest.mark.parametrize("style", ["paper", "slides"])
def test_the_distances_stand_above_the_bars(style):
    figure = render_figure(
        lambda f: distances.draw_figure(f, [View(), View()], split="test", view="raw"), style
    )
    for axes in figure.axes[2:]:
        highest = axes.transData.transform((0, 1))[1]
        words = axes.get_legend().get_window_extent()
        assert words.y0 >= highest
        assert axes.get_window_extent().contains(*words.min) and axes.get_window_extent().contains(*words.max)


@pytest.mark.parametrize("view", ["raw", "normalized"])
def test_the_legend_names_unseen_classes_and_what_is_drawn(view):
    run = View(splits={**View().splits, "unseen": embedding(40)})
    figure = Figure(layout="constrained")
    distances.draw_figure(figure, [run], split="test", view=view)
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "direction of a class weight, not a boundary" in named
    assert named[-1] == "unseen: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"


def test_both_ends_of_the_pairs_lie_inside_the_axes():
    """Some features of one class are far out, and the axes leave them out."""
    part = embedding(60)
    far = np.flatnonzero(part.labels == part.labels[0])[:5]
    points = np.array(part.features)
    points[far] *= 100
    axes = Figure().subplots()
    axes.set(xlim=(-50, 50), ylim=(-50, 50))
    assert np.abs(points[distances.pairs_of(points, part.labels)[0].at(0.99)[1]]).max() > 50
    distances.draw_pairs(axes, points, part.labels, *distances.pairs_of(points, part.labels))
    for name in ("one", "two"):
        assert np.abs(segment(axes, name)).max() <= 50
