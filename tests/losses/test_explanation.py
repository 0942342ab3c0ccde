"""`explain`: its numbers come from the losses' own code and agree with the equations."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from lossbench.__main__ import main
from lossbench.losses._explanation import explain, target_curve
from lossbench.specs import catalog
from lossbench.specs.feasibility import best_probability


def curve_of(name, **settings):
    spec = catalog.spec("losses", name)
    return target_curve(name, spec.resolve(2, 2, **settings))


def test_curves_are_the_equations():
    """ArcFace 2019, Fig. 4 (b): cos(t + m), cos(t) - m, and psi of A-Softmax."""
    angles, arc = curve_of("arcface", margin=0.5, scale=16.0)
    inside = angles < math.pi - 0.5
    np.testing.assert_allclose(arc[inside], np.cos(angles[inside] + 0.5), atol=1e-6)
    angles, cosface = curve_of("cosface", margin=0.1, scale=16.0)
    np.testing.assert_allclose(cosface, np.cos(angles) - 0.1, atol=1e-6)
    angles, plain = curve_of("normface", scale=16.0)
    np.testing.assert_allclose(plain, np.cos(angles), atol=1e-6)
    angles, sphere = curve_of("sphereface", margin=4, base=0.0, lambda_min=0.0)
    k = np.minimum(np.floor(4 * angles / math.pi), 3)
    np.testing.assert_allclose(sphere, (-1) ** k * np.cos(4 * angles) - 2 * k, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "settings", "target"),
    [
        ("arcface", {"scale": 30, "margin": 0.5}, math.cos(0.5)),
        ("cosface", {"scale": 16, "margin": 0.1}, 0.9),
        ("normface", {"scale": 16}, 1.0),
    ],
)
@pytest.mark.parametrize("shape", [(10, 2), (4, 3), (6, 3)])
def test_best_probability_agrees_with_the_bound(name, settings, target, shape):
    found = explain(name, settings, *shape)
    expected = best_probability(*shape, float(settings["scale"]), target)
    assert found.best_probability == pytest.approx(expected, abs=1e-9)


def test_a_loss_whose_feature_length_counts_has_no_best_probability():
    assert explain("modified-softmax", {}, 10, 2).best_probability is None
    assert explain("triplet", {}, 10, 2).curve is None


@pytest.mark.parametrize("name", catalog.names("losses"))
def test_every_loss_is_explained(name, capsys):
    assert main(["explain", name, "--classes", "10", "--dim", "2"]) == 0
    text = capsys.readouterr().out
    assert "36.0°" in text
    assert "0.628" in text
    for setting in catalog.spec("losses", name).settings:
        assert setting in text
    assert main(["explain", name, "--json"]) == 0
    json.loads(capsys.readouterr().out)


def test_large_shapes_do_not_hang(capsys):
    assert main(["explain", "arcface", "--classes", "1000", "--dim", "64"]) == 0
    assert "1000 directions in 64 dimensions" in capsys.readouterr().out
