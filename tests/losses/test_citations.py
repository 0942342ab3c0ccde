"""What was found when papers and authors' code were read: equation numbers, values of the paper, departures."""

from __future__ import annotations

import pytest

from lossbench.losses import documentation
from lossbench.specs import catalog

STATED = {
    "island": ["eqs. 6, 7, 9 and 10", "(footnote 1)", "an even spread is not certain"],
    "magface": ["eq. 2", "App. B.2, eq. 9", "no pull along the radius"],
    "circle-pair": ["eqs. 5 and 6", "(eq. 8)"],
    "adaface": ["alpha = 0.99", "every cosine to +-0.999"],
    "adacos": ["the smaller middle angle"],
    "range": ["not the authors' code"],
    "l2-softmax": ["C < 2 D (section 4.3)", "(eq. 9)"],
    "center": ["lambda = 0.001, 0.01, 0.1 and 1"],
    "triplet": ["arXiv 1503.03832, eq. 3", "strict <"],
    "ghm": ["eqs. 4, 7-9 and 12", "the average of an empty bin"],
    "lgm": ["eqs. 7, 10, 11, 13, 14, 17 and 18"],
    "modified-softmax": ["eq. 5"],
    "normface": ["eq. 6"],
    "cosface": ["arXiv 1801.05599, eq. 6"],
    "subcenter-arcface": ["eq. 7 of the PAMI version"],
}
PAPER_VALUES = {
    ("island", "alpha"): "1",
    ("magface", "lower_margin"): "0.40 (released code: 0.45)",
    ("circle-pair", "margin"): "0.4 (pair labels, section 4.1)",
    ("circle-pair", "gamma"): "80 (pair labels, section 4.1)",
    ("adaface", "rate"): "0.99 (released option: 0.01)",
    ("center", "lambda"): "0.003 (faces), 0.001 to 1 (MNIST, Fig. 3), 0.01 (released MNIST example)",
    ("l2-softmax", "scale"): "at least ln(p (C-2) / (1-p)), for C < 2D only",
}
NOT_VERIFIED = [
    *(
        "l-softmax",
        "contrastive",
        "lifted",
        "n-pair",
        "multi-similarity",
        "proxy-nca",
        "range",
        "ring",
        "git",
    ),
    *("oim", "adacos", "label-smoothing"),
]


def text_of(name: str) -> str:
    return " ".join(f"{documentation(name)} {catalog.spec('losses', name).paper}".split())


@pytest.mark.parametrize("name", STATED)
def test_equations_and_departures_are_those_of_the_paper(name: str) -> None:
    for part in STATED[name]:
        assert part in text_of(name)


@pytest.mark.parametrize(("name", "setting"), PAPER_VALUES)
def test_the_values_of_the_paper_are_right(name: str, setting: str) -> None:
    spec = catalog.spec("losses", name)
    declared = spec.weight if setting == "lambda" else spec.settings[setting]
    assert declared.paper == PAPER_VALUES[name, setting]


@pytest.mark.parametrize("name", NOT_VERIFIED)
def test_what_was_not_read_in_the_paper_says_so(name: str) -> None:
    assert "not verified" in text_of(name)


def test_calibration_metrics_name_their_equations() -> None:
    assert catalog.spec("metrics", "ece").source.endswith("eq. 3")
    assert catalog.spec("metrics", "nll").source.endswith("eq. 6")
