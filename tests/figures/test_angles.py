"""The angle statistics: exact angles, histograms that hold every feature, means, and their course."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from lossbench.figures import angles
from tests.figures.views import View, directions, embedding, snapshots


def turned(degrees):
    return np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], axis=-1)


def test_angles_to_the_own_and_the_nearest_other_class():
    classes = 3 * turned(np.array([0.0, 90.0, 180.0]))
    features = 5 * turned(np.array([10.0, 100.0, 150.0]))
    found = angles.angles_of(features, np.array([0, 0, 1]), classes)
    np.testing.assert_allclose(found, [[10, 100, 60], [80, 10, 30]], atol=1e-9)


def test_a_class_that_was_never_learned_is_nobodys_nearest():
    classes = turned(np.array([0.0, 20.0, 90.0]))
    classes[1] = np.nan
    found = angles.angles_of(turned(np.array([10.0])), np.array([0]), classes)
    np.testing.assert_allclose(found, [[10], [80]], atol=1e-9)


def test_histograms_are_percentages_and_means_are_marked():
    axes = Figure().subplots()
    found = np.array([[2.0, 4.0, 6.0, 8.0], [30.0, 32.0, 34.0, 40.0]])
    angles.draw_axes(axes, found, np.linspace(0, 45, 46))
    marks = {line.get_gid(): line.get_xdata()[0] for line in axes.lines if line.get_gid()}
    assert marks == {"mean of own class": 5.0, "mean of nearest other class": 34.0}
    assert [text.get_text() for text in axes.texts] == ["5.0°", "34.0°"]
    filled = [patch for patch in axes.patches if patch.get_fill()]
    assert len(filled) == 2
    assert filled[0].get_xy()[:, 1].max() == pytest.approx(25)  # each of four features


def test_the_course_is_drawn_where_features_were_kept():
    figure = Figure(layout="constrained")
    angles.draw_figure(figure, [View(), View(snapshots=snapshots())], split="test")
    shown = [axes for axes in figure.axes if axes.axison]
    assert len(shown) == 3
    (note,) = [text for axes in figure.axes if not axes.axison for text in axes.texts]
    assert "train it with --snapshots 30" in note.get_text()
    own = next(line for line in shown[-1].lines if line.get_gid() == "own class")
    np.testing.assert_allclose(own.get_xdata(), np.linspace(0, 5, 4))
    first, last = own.get_ydata()[[0, -1]]
    assert first == pytest.approx(90)  # all features are zero then, at right angles to everything
    assert last < 3
    assert shown[-1].get_ylim()[1] >= 90
    assert shown[-1].get_xlim() == (0, 5.25)  # the last moment is not on the edge
    np.testing.assert_allclose(shown[-1].get_xticks()[[0, -1]], [0, 5])


def test_without_kept_features_there_is_one_row():
    figure = Figure(layout="constrained")
    angles.draw_figure(figure, [View(), View()], split="train")
    assert len(figure.axes) == 2
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim() == (0, 40)  # of 36 degrees and some noise
    assert figure.axes[0].get_ylabel() == "train features (%)"


def test_without_weights_the_means_of_the_training_features_are_the_directions():
    figure, part = Figure(layout="constrained"), embedding(200, seed=1)
    train = embedding(400)
    aside = train._replace(features=(train.features @ _quarter_turn()).astype(np.float32))
    angles.draw_figure(figure, [View(weight=None, splits={"train": aside, "test": part})], split="test")
    (mark,) = [line for line in figure.axes[0].lines if line.get_gid() == "mean of own class"]
    assert mark.get_xdata()[0] == pytest.approx(90, abs=1)


def _quarter_turn():
    return np.array([[0.0, 1.0], [-1.0, 0.0]])


def test_the_directions_of_an_angle_course_are_those_of_its_moment():
    kept = snapshots()
    wrong = kept._replace(directions={"weight": np.repeat(-directions()[None], 4, axis=0)})
    figure = Figure(layout="constrained")
    angles.draw_figure(figure, [View(snapshots=wrong)], split="test")
    own = next(line for line in figure.axes[1].lines if line.get_gid() == "own class")
    assert own.get_ydata()[-1] > 177


def test_at_most_five_runs_stand_side_by_side():
    figure = Figure(layout="constrained")
    runs = [
        View(title=f"loss {number}", snapshots=snapshots() if number != 4 else None) for number in range(8)
    ]
    angles.draw_figure(figure, runs, split="test")
    places = {axes.get_title(): axes.get_subplotspec() for axes in figure.axes if axes.get_title()}
    found = [(places[run.title].rowspan.start, places[run.title].colspan.start) for run in runs]
    assert found == [(2 * (number // 4), number % 4) for number in range(8)]
    labels = [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]
    assert labels == ["test features (%)", "mean angle (degrees)"] * 2
    beside = next(axes for axes in figure.axes[12:] if axes.get_ylabel())
    assert beside.get_subplotspec().colspan.start == 1  # the first of its row with a course
