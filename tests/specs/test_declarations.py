"""What SPECs declare, written down by hand: a SPEC cannot be its own reference."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from lossbench import specs
from lossbench.errors import UsageError
from lossbench.runs.config_builder import make_config, warnings_of
from lossbench.specs import DatasetSpec, HyperParameter, catalog

LOWER_IS_BETTER = {
    *("angular-spread", "angular-spread-gap", "collapse", "davies-bouldin", "ece", "eer", "nll", "spread"),
    *("spread-gap", "nc1", "within-variance", "ece-scaled", "far-at-threshold-1e-2", "far-at-threshold-1e-3"),
    *("threshold-range-1e-2", "threshold-range-1e-3"),
}
NEITHER_IS_BETTER = {
    *("axis-range", "outer-classes", "length-variation", "nc2-norms", "nc2-angles", "class-separation"),
    *("weight-angle", "weight-nearest-angle"),
    *("nc3", "nc4", "length-corruption", "1-shot-half-width", "5-shot-half-width", "20-shot-half-width"),
    *("threshold-at-far-1e-2", "threshold-at-far-1e-3"),
}
MEASURED_WHEN_ASKED = {
    *(
        "ami",
        "nmi",
        "eer",
        "map-at-r",
        "map-at-r-cosine",
        "map-at-r-euclidean",
        "r-precision",
        "recall-at-1",
        "roc-auc",
        "silhouette",
    ),
    *("1-shot", "5-shot", "20-shot", "threshold-range-1e-2", "threshold-range-1e-3"),
    *("far-at-threshold-1e-2", "far-at-threshold-1e-3", "tar-at-threshold-1e-2", "tar-at-threshold-1e-3"),
    *("tar-at-far-1e-2", "tar-at-far-1e-3", "tar-at-far-1e-4", "nc1", "within-variance", "ece-scaled"),
    *("robust-accuracy-fgsm", "robust-accuracy-pgd", "robust-accuracy-pgd-5e-1", "fgsm-detection"),
    *("robust-accuracy-apgd-ce", "robust-accuracy-apgd-dlr", "robust-accuracy-square"),
    *("robust-accuracy-transfer", "nearest-angle", "linear-probe", "linear-probe-digits"),
    *("linear-probe-fashion-mnist", "linear-probe-kmnist"),
    *("open-set-auroc", "open-set-auroc-logit", "oscr", "ccr-at-fpr-1e-1", *NEITHER_IS_BETTER),
}
NEED_PROBABILITIES = {"ece", "nll"}
AUXILIARY = {"center", "contrastive-center", "git", "island", "range", "ring", "triplet-center"}
PAIRS = {
    *("circle-pair", "contrastive", "lifted", "margin-pair", "multi-similarity", "n-pair", "supcon"),
    "triplet",
}
BALANCED = PAIRS | {"range"}
ANGULAR = {
    *("adacos", "adaface", "arcface", "circle", "circle-pair", "coco", "combined-margin", "cosface"),
    *("curricularface", "elasticface", "etf", "l2-softmax", "ldam", "magface", "modified-softmax"),
    *(
        "multi-similarity",
        "mv-softmax",
        "normface",
        "oim",
        "proxy-anchor",
        "proxy-nca",
        "sface",
        "softtriple",
    ),
    *("sphereface", "sphereface2", "subcenter-arcface", "supcon", "uniface"),
}
NO_PROBABILITIES = {
    *("etf", "exponential", "hinge", "proxy-anchor", "sface", "sphereface2", "squared", "uniface"),
}
NOT_SEARCHED = {
    *("adaface.rate", "curricularface.rate", "etf.length", "focal.alpha", "ghm.momentum", "range.k"),
    *("l-softmax.base", "l-softmax.gamma", "l-softmax.lambda_min", "l-softmax.power"),
    *("magface.lower_length", "magface.lower_margin", "magface.upper_length", "sphereface2.factor"),
    *("sphereface.base", "sphereface.lambda_min", "sphereface.scale"),
    *("sface.a", "sface.b", "squared.target"),
}
"""Numeric settings besides `soft_start` without a range that `tune` searches."""

BOUNDS = {
    "[0, ∞)": "base h inter intra l2 lam lambda_g lambda_min margin power push repulsion sigma squares tau",
    "(0, ∞)": "beta boundary delta factor gamma k length lower_length radius scale target "
    "temperature upper_length",
    "[0, 3.14159]": "a b lower_margin m2 upper_margin",
    "[0, 2]": "cosine_margin epsilon m3",
    "[1, ∞)": "prototypes subcenters t",
    "[0, 1)": "momentum smoothing",
    "[0, 1]": "q rate",
    "(0, 1]": "alpha",
    "(0, 1)": "balance",
    "[1, 1000]": "bins",
    "[0, 60]": "limit",
    "(0, 8]": "m1",
    "[1, 8]": "margin_r",
    "[0, 0.5]": "soft_start",
}
"""By bounds, the numeric settings that have them in every loss but those below."""
OTHER_BOUNDS = {
    "(0, ∞)": "focal.alpha multi-similarity.alpha contrastive.margin sphereface2.t",
    "[0, ∞)": "lgm.alpha focal.gamma l-softmax.gamma",
    "[-1, 1]": "multi-similarity.base circle-pair.margin",
    "[-1, ∞)": "poly-1.epsilon",
    "[1, 64]": "range.k",
    "[0, 1]": "adaface.margin circle.margin proxy-anchor.margin sphereface2.margin",
    "[-3.14159, 3.14159]": "arcface.margin",
    "[-2, 2]": "cosface.margin",
    "[0, 3.14159]": "curricularface.margin elasticface.margin mv-softmax.margin subcenter-arcface.margin",
    "[1, 4]": "l-softmax.margin",
    "[0, 2]": "ldam.margin softtriple.margin uniface.margin",
    "[1, 8]": "sphereface.margin",
}


CHOICES = {
    "elasticface.form": "arc cos",
    "exponential.form": "m2 samme",
    "ghm.form": "softmax sigmoid",
    "hinge.form": "crammer-singer weston-watkins",
    "l-softmax.annealing": "progress steps",
    "lgm.covariance": "identity diagonal",
    "mv-softmax.form": "arc am",
    "oim.update": "batch sequence",
    "sphereface.form": "a-softmax v1 v2",
    "sphereface.annealing": "progress steps",
    "triplet.mining": "all hard semi-hard easy random",
    "triplet.reduction": "all nonzero",
}
"""The words that a setting takes."""


def test_choices_of_settings() -> None:
    specs = {name: catalog.spec("losses", name) for name in catalog.names("losses")}
    found = {f"{name}.{key}": each for name, spec in specs.items() for key, each in spec.settings.items()}
    assert {key: " ".join(each.choices) for key, each in found.items() if each.type is str} == CHOICES


def test_a_spec_is_written_by_names_and_never_changes() -> None:
    kinds = [
        kind for kind in vars(specs).values() if isinstance(kind, type) and dataclasses.is_dataclass(kind)
    ]
    assert len(kinds) > 5
    for kind in kinds:
        assert kind.__dataclass_params__.frozen, kind
        assert kind is HyperParameter or all(each.kw_only for each in dataclasses.fields(kind)), kind


def test_directions_of_metrics() -> None:
    for name in catalog.names("metrics"):
        spec = catalog.spec("metrics", name)
        better = None if name in NEITHER_IS_BETTER else name not in LOWER_IS_BETTER
        assert spec.higher_is_better is better, name
        assert spec.cheap == (name not in MEASURED_WHEN_ASKED), name
        assert (spec.needs == "probabilities") == (name in NEED_PROBABILITIES), name


def test_kinds_and_samplers_of_losses() -> None:
    specs = {name: catalog.spec("losses", name) for name in catalog.names("losses")}
    assert {name for name, spec in specs.items() if spec.kind == "auxiliary"} == AUXILIARY
    assert {name for name, spec in specs.items() if spec.kind == "pairs"} == PAIRS
    assert {name for name, spec in specs.items() if spec.sampler == "balanced"} == BALANCED
    assert {name for name, spec in specs.items() if spec.angular} == ANGULAR
    assert {name for name, spec in specs.items() if not spec.probabilities} == NO_PROBABILITIES


def test_tuning_varies_every_number_but_those_listed() -> None:
    found = set()
    for name in catalog.names("losses"):
        spec = catalog.spec("losses", name)
        assert spec.weight is None or spec.weight.sweep, name
        numbers = {key: each for key, each in spec.settings.items() if each.type in (int, float)}
        found |= {f"{name}.{key}" for key, each in numbers.items() if not each.sweep and key != "soft_start"}
    assert found == NOT_SEARCHED


def test_runs_that_a_figure_shows_by_default() -> None:
    """Those of one seed where the table says nothing else; over one swept setting, but two of a heatmap."""
    shown = {"curves": "all", "heatmap": "all", "lambda-grid": "settings", "leaderboard": "every"}
    shown |= {"forest": "every", "target-logits": "untrained", "training": "seeds"}
    for name in catalog.names("figures"):
        spec = catalog.spec("figures", name)
        assert spec.default == shown.get(name, "compared"), name
        assert spec.axes == (2 if name == "heatmap" else 1), name


def test_limits_of_small_or_impossible_values_can_be_read() -> None:
    """Two hundred directions in a plane leave a temperature of 1 / 5858, and three on a line no scale."""
    few, many = (catalog.spec("losses", loss) for loss in ("normface", "supcon"))
    assert many.warnings({"temperature": 0.02}, 200, 2) == [
        "temperature 0.02 cannot hold for 200 classes in 2 dimensions; the largest is 0.000171."
    ]
    assert few.warnings({"scale": 16.0}, 3, 1) == [
        "scale 16 is small for 3 classes in 1 dimension; no value is large enough there that a sample on its "
        "class direction is classified with confidence."
    ]


@pytest.mark.parametrize(
    ("loss", "settings", "warned"),
    [
        # ten directions in a plane are 36 degrees = 0.628 rad apart, 1 - cos = 0.191
        ("arcface", {"margin": 0.62}, ""),
        ("arcface", {"margin": 0.64}, "margin 0.64 cannot hold"),
        ("arcface", {"scale": 1e-5}, "scale 1e-5 is small for"),
        ("cosface", {"margin": 0.19}, ""),
        ("cosface", {"margin": 0.2}, "margin 0.2 cannot hold"),
        ("uniface", {"margin": 0.2}, "margin 0.2 cannot hold"),
        # ln(9 x 9) over the gap to the mean of the other directions
        ("normface", {"scale": 16.0}, ""),
        ("normface", {"scale": 14.0}, "scale 14 is small"),
        ("oim", {"scale": 14.0}, "scale 14 is small"),
    ],
)
def test_limits_warn_on_the_right_side(loss: str, settings: dict[str, float], warned: str) -> None:
    warnings = warnings_of(make_config(loss=loss, settings=settings))
    assert [warning for warning in warnings if warned and warned in warning] == warnings[: bool(warned)]
    assert len(warnings) == bool(warned)


def test_bounds_of_settings() -> None:
    """Scales are above 0, weights may be 0, and 0 as the weight of an auxiliary term is softmax."""
    bounds = {key: text for text, keys in BOUNDS.items() for key in keys.split()}
    others = {key: text for text, keys in OTHER_BOUNDS.items() for key in keys.split()}
    for name in catalog.names("losses"):
        spec = catalog.spec("losses", name)
        assert spec.weight is None or spec.weight.bounds == "[0, ∞)", name
        for key, setting in spec.settings.items():
            if setting.type in (int, float):
                assert setting.bounds == others.get(f"{name}.{key}", bounds[key]), f"{name}.{key}"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "any"),
        ({"ge": 0}, "[0, ∞)"),
        ({"gt": 0}, "(0, ∞)"),
        ({"le": 1}, "(-∞, 1]"),
        ({"lt": 1}, "(-∞, 1)"),
        ({"gt": 0, "le": 1}, "(0, 1]"),
        ({"ge": -1, "lt": 2.5}, "[-1, 2.5)"),
        ({"ge": 1e-5}, "[1e-5, ∞)"),
    ],
)
def test_bounds_in_words(options: dict[str, float], text: str) -> None:
    assert HyperParameter(default=1.0, help="", **options).bounds == text  # type: ignore[arg-type]
    assert HyperParameter(default=True, help="").bounds == "{true, false}"
    assert HyperParameter(default="a", help="", choices=("a", "b")).bounds == "{a, b}"


@pytest.mark.parametrize(("words", "value"), [("true True yes 1", True), ("false FALSE no 0", False)])
def test_words_of_switches(words: str, value: bool) -> None:
    switch = HyperParameter(default=not value, help="")
    assert {switch.check("it", word) for word in words.split()} == {value}
    with pytest.raises(UsageError, match="it = 2 is neither true nor false"):
        switch.check("it", 2)


@pytest.mark.parametrize(
    ("samples", "val_size", "epochs"),
    [(300, 30, 40), (6000, 600, 40), (10_000, 1000, 24), (40_000, 4000, 6), (60_000, 5000, 6), (9, 0, 40)],
)
def test_the_defaults_of_a_users_data_set_follow_from_its_size(
    samples: int, val_size: int, epochs: int
) -> None:
    """A tenth, at most 5,000, is held out; a training takes about 240,000 samples in 6 to 40 epochs."""
    spec = dataset(samples=samples)
    assert (spec.val_size, spec.epochs) == (val_size, epochs)


def dataset(**changed: Any) -> DatasetSpec:
    given = {
        "samples": 500,
        "classes": ("a", "b"),
        "shape": (3, 8, 8),
        "mean": (1.0,),
        "deviation": (2.0, 3.0, 4.0),
    }
    return DatasetSpec.of_user("mine", "0123456789abcdef" * 4, **{**given, **changed})


@pytest.mark.parametrize(
    "changed",
    [
        {"title": 5}, {"digest": "0" * 63}, {"digest": "G" * 64}, {"classes": ["a", "a"]}, {"classes": ["a", 1]},
        {"shape": [8, 8]}, {"shape": [3, 0, 8]}, {"shape": [True, 8, 8]}, {"shape": [3, 2**31 + 1, 8]},
        {"samples": 0}, {"samples": 5.0}, {"mean": [1.0, 2.0]}, {"deviation": [1.0, 2.0]}, {"mean": [1]},
        {"mean": [math.nan]}, {"deviation": [math.inf]}, {"deviation": [1.0, 0.0, 1.0]},
    ],
)  # fmt: skip
def test_a_stored_description_of_data_that_was_changed_is_refused(changed: dict[str, Any]) -> None:
    data = dataset().to_dict()
    assert DatasetSpec.from_dict(data) == dataset()
    assert DatasetSpec.from_dict(dataset(shape=(7,), deviation=(2.0,)).to_dict()).shape == (7,)
    with pytest.raises(ValueError, match="the description of its data set was changed"):
        DatasetSpec.from_dict({**data, **changed})
