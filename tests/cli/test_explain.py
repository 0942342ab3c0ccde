"""`lossbench explain`: the limits of a loss in sentences and in JSON, against angles known by hand."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from lossbench.__main__ import main


def document(capsys: Any, *words: str) -> dict[str, Any]:
    assert main(["explain", *words, "--json"]) == 0
    content: dict[str, Any] = json.loads(capsys.readouterr().out)
    return content


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (
            "arcface --margin 0.3 --scale 16",
            [  # ten directions in a plane are 36 degrees, 0.628 rad, apart; 1 - cos = 0.191
                "10 directions in 2 dimensions are at most 36.0° apart: the largest margin for all classes at "
                "once is 0.628 rad on the angle, 0.191 on the cosine.",
                "The smallest scale with which a sample on its class direction reaches 90 % without a margin "
                "is 15.1.",
                "At these settings a sample on its class direction reaches a training probability of 0.839; "
                "the loss can fall to 0.176, not below.",
                "Recommended for C = 10, D = 2: scale 16, margin 0.3.",
            ],
        ),
        (
            "normface --classes 3 --dim 1",
            [  # two of three classes share a direction
                "No scale lets a sample on its class direction reach 90 %, even without a margin.",
                "At these settings a sample on its class direction reaches a training probability of 0.667; "
                "the loss can fall to 0.405, not below.",
                "Recommended for C = 3, D = 1: scale 16.",
            ],
        ),
        (
            "supcon --classes 200",
            [
                "0.0314 rad on the angle, 0.000493 on the cosine. Recommended for C = 200, D = 2: temperature 0.00017."
            ],
        ),
        ("arcface --classes 2 --dim 1", ["2 directions in 1 dimension are at most 180.0° apart"]),
        ("center", ["Recommended for C = 10, D = 2: lambda 0.003."]),
        (
            "softmax",
            ["Recommended for C = 10, D = 2: the defaults; none of the settings depends on C and D."],
        ),
        ("sphereface2", ["No target-logit curve: this loss is not a cross-entropy"]),
    ],
)
def test_sentences(capsys: Any, words: str, lines: list[str]) -> None:
    assert main(["explain", *words.split()]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert " ".join(lines) in shown
    assert "at least inf" not in shown
    assert ("The smallest scale" in shown) == words.startswith("arcface")


def test_the_chart_is_the_cosine_shifted_by_the_margin(capsys: Any) -> None:
    assert main(["explain", "cosface", "--margin", "1"]) == 0
    chart = capsys.readouterr().out.partition("target logit / scale (*) against the angle, cosine (.)\n")[2]
    *rows, line, degrees = chart.splitlines()
    assert [row[:6].strip() for row in rows][::7] == ["1.00", "-0.50", "-2.00"]
    plot = [row.partition("│")[2].ljust(61) for row in rows]
    for mark, shift in ((".", 0), ("*", -1)):
        places = [next(n for n, row in enumerate(plot) if row[column] == mark) for column in (0, 30, 60)]
        assert places == [round((1 - value - shift) / 3 * 14) for value in (1, 0, -1)]
    assert line == " " * 7 + "└" + "─" * 61
    assert degrees.split() == ["0°", "90°", "180°"]


def test_the_document(capsys: Any) -> None:
    found = document(capsys, "arcface", "--margin", "0.3", "--scale", "16")
    curve = found.pop("curve")
    assert curve["angle"][-1] == pytest.approx(math.pi)
    assert curve["target_logit_over_scale"][0] == pytest.approx(math.cos(0.3))
    assert found.pop("smallest_useful_scale") == pytest.approx(15.137, abs=1e-3)
    assert found.pop("best_probability") == pytest.approx(0.8386, abs=1e-4)
    assert found.pop("neighbour_angle") == pytest.approx(math.pi / 5)
    assert found.pop("largest_angular_margin") == pytest.approx(math.pi / 5)
    assert found.pop("largest_cosine_margin") == pytest.approx(1 - math.cos(math.pi / 5))
    fixed = {"easy_margin": False, "monotone": True, "soft_start": 0.3, "fixed": False}
    assert found == {
        "status": "done",
        "loss": "arcface",
        "classes": 10,
        "dim": 2,
        "settings": {"scale": 16.0, "margin": 0.3, **fixed},
        "recommended": {"scale": 16.0, "margin": 0.3},
        "recipe": None,
    }
    assert document(capsys, "normface", "--classes", "3", "--dim", "1")["smallest_useful_scale"] is None
    assert document(capsys, "center", "--lambda", "0.5")["lambda"] == 0.5
    assert document(capsys, "center")["recommended"] == {"lambda": 0.003}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            "arcface --lambda 1",
            "--lambda is the weight of an auxiliary term (such as center); arcface is not one.",
        ),
        (
            "arcface --margin 0.1 --set arcface.margin=0.2",
            "--set arcface.margin=0.2: --margin is given as well.",
        ),
    ],
)
def test_settings_that_make_no_sense(capsys: Any, words: str, sentence: str) -> None:
    assert main(["explain", *words.split()]) == 2
    assert capsys.readouterr().err == f"lossbench: {sentence}\n"
