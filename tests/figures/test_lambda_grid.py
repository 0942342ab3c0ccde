"""Small multiples of features, asked through the artists."""

from __future__ import annotations

import math

import numpy as np
import pytest
from matplotlib.figure import Figure

from lossbench.errors import RunError
from lossbench.figures import lambda_grid
from lossbench.reports.figure_files import render_figure
from tests.figures.views import View, directions, embedding


def runs(values, seeds=(0,), title="Center"):
    return [
        View(
            title=title,
            subtitle=f"λ = {value:g}",
            seed=seed,
            settings={"loss": title, "lambda": value},
            centers=5 * directions(),
            splits={"train": embedding(100), "test": embedding(50, seed=seed)},
        )
        for value in values
        for seed in seeds
    ]


def draw_figure(given, split="test", style="paper"):
    return render_figure(lambda f: lambda_grid.draw_figure(f, given, split=split, projection="pca"), style)


def shown(figure):
    return [axes for axes in figure.axes if axes.get_visible()]


def titles(axes):
    return [text for text in axes.texts if text.get_gid() != "class-glyph"]


def lines_above(axes):
    """What stands between the name of the loss and the panel, from top to bottom."""
    return [text.get_text() for text in reversed(titles(axes))]


def found(axes, gid):
    return next(child for child in axes.get_children() if child.get_gid() == gid)


@pytest.mark.parametrize(
    "count, rows",
    [
        (1, 1),
        (5, 1),
        (6, 2),
        (12, 3),
        *(pytest.param(*each, marks=pytest.mark.slow) for each in ((20, 4), (39, 7))),
    ],
)
def test_rows_are_of_nearly_equal_length(count, rows):
    figure = Figure(layout="compressed")  # not laid out, which takes seconds for the longest
    lambda_grid.draw_figure(figure, runs(range(count)), split="test", projection="pca")
    panels = shown(figure)
    assert len(panels) == count
    grid = panels[0].get_gridspec()
    assert (grid.nrows, grid.ncols) == (rows, math.ceil(count / rows))


def test_panels_stand_in_the_given_order_under_their_settings():
    panels = shown(draw_figure(runs([0.1, 0.001])))
    assert [lines_above(axes) for axes in panels] == [
        [f"λ = {value}", "99.00 % test, seed 0"] for value in (0.1, 0.001)
    ]


def test_the_loss_is_named_once_or_above_each_panel():
    one = draw_figure(runs([0.1, 0.001]))
    assert one.get_suptitle() == "Center"
    assert [axes.get_title() for axes in shown(one)] == ["", ""]
    two = draw_figure([*runs([0.1]), *runs([0.1], title="Island")])
    assert two.get_suptitle() == ""
    assert [axes.get_title() for axes in shown(two)] == ["Center", "Island"]


def test_of_every_setting_the_first_seed_is_shown():
    given = [*runs([0.1], seeds=(2, 1)), *runs([0.2], seeds=(3, 0)), *runs([0.3], seeds=(4,))]
    panels = shown(draw_figure(given))
    assert [lines_above(axes)[0] for axes in panels] == ["λ = 0.1", "λ = 0.2", "λ = 0.3"]
    for axes, seed in zip(panels, (1, 0, 4), strict=True):
        points = np.asarray(found(axes, "features").get_offsets())
        expected = embedding(50, seed=seed).features
        np.testing.assert_allclose(np.sort(points, axis=0), np.sort(expected, axis=0), atol=1e-6)


def test_every_panel_has_its_own_limits_and_centers_as_dots():
    small, large = runs([1.0, 0.001])
    for name, part in small.splits.items():
        small.splits[name] = part._replace(features=part.features / 100)
    small.centers = small.centers / 100
    first, second = shown(draw_figure([small, large]))
    assert first.get_xlim()[1] * 50 < second.get_xlim()[1]
    np.testing.assert_allclose(found(first, "centers").get_offsets(), small.centers, atol=1e-6)


def test_the_split_asked_for_is_drawn():
    panels = shown(draw_figure(runs([0.1]), "train"))
    assert len(found(panels[0], "features").get_offsets()) == 100
    with pytest.raises(RunError, match="has no test features"):
        draw_figure([View(splits={"train": embedding(), "val": embedding()})])


@pytest.mark.parametrize("style", ["paper", "slides", "dark"])
@pytest.mark.parametrize("turn", [0.0, 0.05, 0.1])
def test_titles_and_names_of_classes_stay_whole(style, turn):
    """Also of a class that lies at the very top, whose name would stand above its dot."""
    given = runs([0.1, 0.2])
    angle = np.pi / 2 * 0.2 + turn
    turned = directions() @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    for run in given:
        run.centers = 5 * turned
        run.splits = {
            name: part._replace(features=(5 * turned[part.labels]).astype(np.float32))
            for name, part in run.splits.items()
        }
    figure = draw_figure(given, style=style)
    for axes in shown(figure):
        inner = axes.get_window_extent()
        for text in axes.texts:
            box = text.get_window_extent()
            if text in titles(axes):
                assert figure.bbox.y1 >= box.y1 and box.y0 >= inner.y1
            else:
                assert inner.y0 <= box.y0 and box.y1 <= inner.y1 + 1
    for first, second in zip(*map(titles, shown(figure)[:2]), strict=True):
        assert first.get_window_extent().x1 < second.get_window_extent().x0
