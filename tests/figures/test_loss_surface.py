"""The loss surface: values and colours, arrows down the gradient, the class on top."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from lossbench.errors import RunError, UsageError
from lossbench.figures import loss_surface
from tests.figures.views import View, directions, embedding


@dataclass
class Bowl(View):
    """The squared distance to five times the direction of the class, raised by `base`."""

    base: float = 0.5

    def loss_values(self, points, label):
        away = points - 5 * directions()[label]
        return (away**2).sum(axis=1) + self.base, 2 * away


def drawn(run, label=3):
    axes = Figure().subplots()
    return axes, loss_surface.draw_axes(axes, run, "test", label)


def named(axes, gid):
    return [artist for artist in axes.get_children() if artist.get_gid() == gid]


def test_arrows_of_one_length_point_down_the_gradient():
    axes, _ = drawn(Bowl())
    (arrows,) = named(axes, "gradient")
    assert len(arrows.U) == 16 * 16
    steps = np.stack([arrows.U, arrows.V], axis=1)
    wanted = 5 * directions()[3] - arrows.XY
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    np.testing.assert_allclose(steps, wanted, atol=1e-6)


def test_where_the_loss_is_flat_there_is_no_arrow():
    class Plain(Bowl):
        def loss_values(self, points, label):
            values, gradients = super().loss_values(points, label)
            return values, np.where(points[:, :1] > 0, gradients, 0)

    (arrows,) = named(drawn(Plain())[0], "gradient")
    assert len(arrows.U) > 50
    assert (arrows.XY[:, 0] > 0).all()


def test_colours_are_the_loss_on_a_logarithmic_scale():
    axes, filled = drawn(Bowl())
    assert isinstance(filled.norm, LogNorm)
    limit = axes.get_xlim()[1]
    corners = np.array([[x, y] for x in (-limit, limit) for y in (-limit, limit)])
    assert filled.norm.vmax == pytest.approx(Bowl().loss_values(corners, 3)[0].max())
    assert filled.norm.vmin == pytest.approx(0.5, rel=0.05)


def test_a_vanishing_loss_is_not_told_apart_below_one_percent():
    _, filled = drawn(Bowl(base=1e-9))
    assert filled.norm.vmin == pytest.approx(0.01)


@pytest.mark.parametrize("base", [-20.0, -500.0])
def test_a_loss_below_zero_has_a_linear_scale(base):
    _, filled = drawn(Bowl(base=base))
    assert not isinstance(filled.norm, LogNorm)
    assert filled.norm.vmin == pytest.approx(base, abs=0.5)


def test_the_class_lies_on_top_and_its_direction_is_thick():
    axes, _ = drawn(Bowl())
    (cloud,) = named(axes, "features")
    part = Bowl().splits["test"]
    np.testing.assert_allclose(cloud.get_offsets(), part.features[part.labels == 3])
    widths = {label: named(axes, f"weight-{label}")[0].get_linewidth() for label in range(10)}
    assert [label for label, width in widths.items() if width > 1] == [3]
    (name,) = named(axes, "class-glyph")
    assert name.get_text() == "3"


@pytest.mark.parametrize(("label", "shown"), [("", "0"), ("7", "7")])
def test_every_panel_has_a_bar_that_names_the_class(label, shown):
    figure = Figure(layout="constrained")
    loss_surface.draw_figure(figure, [Bowl(), Bowl()], split="test", label=label)
    bars = [axes.get_xlabel() for axes in figure.axes if axes.get_xlabel()]
    assert bars == [f"loss of a sample of class {shown}"] * 2


def test_what_cannot_be_drawn_is_one_clear_sentence():
    with pytest.raises(UsageError, match="--label ten is not one of the classes of center-0123456789: 0, 1"):
        loss_surface.draw_figure(Figure(), [Bowl()], split="test", label="ten")
    deep = embedding(50, dim=3)
    with pytest.raises(RunError, match="--feature-dim 2"):
        loss_surface.draw_figure(Figure(), [Bowl(splits={"train": deep})], split="test", label="")


def test_the_numbers_of_a_bar_are_written_out():
    figure = Figure(layout="constrained")
    loss_surface.draw_figure(figure, [Bowl()], split="test", label="3")
    (bar,) = [axes for axes in figure.axes if axes.get_xlabel()]
    ticks = [tick for tick in bar.get_xticks() if bar.get_xlim()[0] <= tick <= bar.get_xlim()[1]]
    shown = [text.get_text() for text in bar.get_xticklabels()]
    assert bar.get_xscale() == "log"
    assert ticks
    assert {f"{tick:g}" for tick in ticks} <= set(shown)
    assert not bar.xaxis.get_minor_locator()()
