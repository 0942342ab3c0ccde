"""The curve figure, asked through its artists."""

from __future__ import annotations

import numpy as np
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from lossbench.figures import curves


def draw(x):
    x = np.array(x, dtype=float)
    axes = Figure().subplots()
    curve = curves.Curve("a", x, 0.9 + 0 * x, 0.01 + 0 * x, [[0.89, 0.91]] * len(x))
    curves.draw(axes, [curve], xlabel="λ", ylabel="accuracy")
    return axes


def test_mean_band_and_every_seed_are_drawn():
    axes = draw([0.001, 0.01, 0.1])
    np.testing.assert_allclose(axes.lines[0].get_ydata(), 0.9)
    points = [c for c in axes.collections if isinstance(c, PathCollection)]
    assert sum(len(c.get_offsets()) for c in points) == 6
    band = next(c for c in axes.collections if not isinstance(c, PathCollection))
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.min() == 0.89
    assert heights.max() == 0.91
    assert axes.get_xlabel() == "λ"


def test_scale_follows_the_sweep():
    assert draw([0.001, 0.01, 0.1]).get_xscale() == "log"
    assert draw([0, 0.001, 0.01, 0.1]).get_xscale() == "symlog"
    assert draw([0.1, 0.3, 0.5, 0.9]).get_xscale() == "linear"


def test_swept_values_are_the_ticks():
    labels = [text.get_text() for text in draw([0, 0.001, 0.01, 0.1]).get_xticklabels()]
    assert labels == ["0", "0.001", "0.01", "0.1"]
