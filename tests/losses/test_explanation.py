"""`explain`: its numbers come from the losses' own code and agree with the equations."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest

from lossbench.__main__ import main
from lossbench.losses._explanation import documentation, explain, target_curve
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
    # beyond 200 classes spreading the directions takes too long; their angle is 360 degrees / C
    assert explain("cosface", {}, 201, 2).best_probability is None
    scale, angles = 64.0, 2 * np.pi * np.arange(200) / 200
    expected = np.exp(scale) / np.exp(scale * np.cos(angles)).sum()
    found = explain("cosface", {"scale": scale, "margin": 0.0}, 200, 2).best_probability
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", catalog.names("losses"))
def test_every_loss_is_explained(name, capsys):
    assert main(["explain", name, "--classes", "10", "--dim", "2"]) == 0
    text = capsys.readouterr().out
    settings = catalog.spec("losses", name).settings
    assert ("36.0° apart: the largest margin" in " ".join(text.split())) == any(
        setting.largest for setting in settings.values()
    )
    assert ("The smallest scale" in text) == any(setting.smallest for setting in settings.values())
    assert ("feasible" in text) == any(each.largest or each.smallest for each in settings.values())
    for setting in settings:
        assert setting in text
    assert "_soft_start.py" not in text, "a reader of the command does not have the code before him"
    assert main(["explain", name, "--json"]) == 0
    json.loads(capsys.readouterr().out)


def test_several_directions_of_a_class_that_coincide_have_the_curve_of_one():
    for several, one in (("subcenter-arcface", "arcface"), ("softtriple", "cosface")):
        settings = {"margin": 0.3, "scale": 16.0}
        np.testing.assert_allclose(curve_of(several, **settings)[1], curve_of(one, **settings)[1], atol=1e-3)


@pytest.mark.parametrize("name", catalog.names("losses"))
def test_every_loss_on_angles_has_a_curve_or_says_why_not(name, capsys):
    spec = catalog.spec("losses", name)
    if spec.kind != "classifier" or not spec.angular:
        return
    text = explained(capsys, name)[1]
    assert ("target logit / scale (*)" in text) != ("No target-logit curve" in text)


def test_large_shapes_do_not_hang(capsys):
    assert main(["explain", "arcface", "--classes", "1000", "--dim", "64"]) == 0
    assert "1000 directions in 64 dimensions" in capsys.readouterr().out


def explained(capsys, *arguments):
    capsys.readouterr()
    code = main(["explain", *arguments])
    return code, *capsys.readouterr()


def test_explain_takes_the_options_of_a_loss(capsys):
    documents = [
        json.loads(explained(capsys, *words, "--json")[1])
        for words in (
            ["arcface", "--margin", "0.2", "--scale", "20"],
            ["arcface", "--set", "arcface.margin=0.2"],
        )
    ]
    assert [each["settings"]["margin"] for each in documents] == [0.2, 0.2]
    assert documents[0]["settings"]["scale"] == 20
    document = json.loads(explained(capsys, "center", "--lambda", "0.1", "--alpha", "0.3", "--json")[1])
    assert (document["lambda"], document["settings"]["alpha"]) == (0.1, 0.3)
    code, out, _ = explained(capsys, "center", "--lambda", "0.1")
    assert code == 0
    assert re.search(r"lambda +│ +0\.1 │", out)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["arcface", "--lambda", "1"], "--lambda is the weight of an auxiliary term"),
        (["center", "--lambda", "-1"], "lambda = -1.0 is outside"),
        (["center", "--margin", "1"], "no setting 'margin'"),
        (["arcface", "--margin", "0.2", "--set", "margin=0.3"], "--margin is given as well"),
        (["arcface", "--set", "center.alpha=0.3"], "no setting 'center.alpha'"),
    ],
)
def test_explain_refuses_options_that_the_loss_has_not(capsys, words, sentence):
    code, out, err = explained(capsys, *words)
    assert (code, out) == (2, "")
    assert sentence in err


PLANE, TEN = re.compile(r"\bplane\b|\bD = 2\b|36 degrees"), re.compile(r"(?i)\bten\b")


@pytest.mark.parametrize("name", catalog.names("losses"))
def test_the_sentences_fit_the_shape(name):
    """What is said of ten classes or of the plane is for them alone; the other sentences stay."""
    whole, text = documentation(name), documentation(name, 25, 512)
    assert not PLANE.search(text + documentation(name, 10, 512))
    assert not TEN.search(text + documentation(name, 25, 2))
    assert equations(text) == equations(whole) != []
    begin = re.compile("^Departures?[^:]*:", re.MULTILINE)
    assert begin.findall(text) == begin.findall(whole)
    assert text.endswith(".")


def equations(text):
    return [line for line in text.splitlines() if line.startswith("    ")]


def test_sentences_of_the_plane_are_shown_for_ten_classes_in_it(capsys):
    sentence = "Ten directions in a plane stand 36 degrees apart."
    assert sentence in documentation("arcface")
    assert sentence in " ".join(explained(capsys, "arcface")[1].split())
    assert sentence not in " ".join(explained(capsys, "arcface", "--dim", "3")[1].split())
    assert "from the origin" in documentation("softmax")


def test_explain_recommends_values_for_the_shape_and_warns_of_others(capsys):
    _, out, err = explained(capsys, "arcface", "--classes", "25", "--feature-dim", "512")
    assert "Recommended for C = 25, D = 512: scale 64, margin 0.5." in out
    assert "-0.0" not in out.partition("target logit")[0]
    assert not err
    assert "Recommended for C = 10, D = 2: lambda 0.003." in explained(capsys, "center")[1]
    assert "warning: margin 0.7" in explained(capsys, "arcface", "--margin", "0.7")[2]
    assert "12.9" in explained(capsys, "magface", "--scale", "64", "--set", "lambda_g=5")[2]
    assert "No scale" in explained(capsys, "arcface", "--classes", "1000", "--dim", "2")[1]


@pytest.mark.parametrize("name", catalog.names("losses"))
@pytest.mark.parametrize("shape", [(10, 2), (10, 3), (25, 512), (1000, 128), (200, 2)])
def test_what_is_recommended_is_allowed_and_brings_no_warning(name, shape):
    spec = catalog.spec("losses", name)
    values = spec.resolve(*shape, **spec.recommended(*shape))
    assert spec.warnings(values, *shape) == []
