"""RunConfig: from a user's words to data and back, ids, and one sentence for everything that makes no sense."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import json
import math
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lossbench.errors import UsageError
from lossbench.runs.config import REQUIRED, RUN_OPTIONS, RunConfig
from lossbench.runs.config_builder import make_config, warnings_of
from lossbench.runs.options import default_text
from lossbench.runs.stored_config import config_from_dict
from lossbench.runs.term import Term
from lossbench.specs import catalog

FUZZ = settings(max_examples=300, deadline=None, database=None)
LOSSES = catalog.names("losses")
HUGE = 10**400  # a JSON number that no float can hold


def made(loss: str = "softmax", **options: Any) -> RunConfig:
    return make_config(loss=loss, **{"network": "lenet", **options})


def refusal(**options: Any) -> str:
    with pytest.raises(UsageError) as caught:
        make_config(**{"network": "lenet", **options})
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith((".", "?"))
    assert len(message) < 1200  # an unknown setting or name lists what there is
    return message


# from words to data


def test_an_auxiliary_named_alone_joins_softmax() -> None:
    alone = made("center", lam=0.003)
    assert alone == made("softmax + 0.003*center") == made(" softmax+3e-3 * center ")
    assert [(term.name, term.weight) for term in alone.terms] == [("softmax", 1.0), ("center", 0.003)]
    assert alone.loss == "center"
    assert alone.id == made("softmax + 0.003*center").id
    assert alone.run_name == f"center-{alone.id}"
    assert made("center") == alone  # 0.003 is the term's own weight


def test_without_a_written_weight_a_term_of_a_sum_counts_once() -> None:
    assert [term.weight for term in made("softmax + center").terms] == [1.0, 1.0]
    assert [term.weight for term in made("softmax + center", lam=0.2).terms] == [1.0, 0.2]
    assert [term.weight for term in made("softmax + 0.1*ring + center", lam=0.2).terms] == [1.0, 0.1, 0.2]
    assert [term.weight for term in made("softmax + triplet", lam=0.2).terms] == [1.0, 0.2]


def test_as_written_an_auxiliary_stays_alone() -> None:
    assert [term.name for term in made("0.5*center", as_written=True).terms] == ["center"]
    assert made("0.5*center", as_written=True).id != made("0.5*center").id


def test_settings_go_to_the_term_that_has_them() -> None:
    assert made("center", settings={"alpha": 0.25}) == made("center", settings={"center.alpha": "0.25"})
    assert dict(made("center", settings={"alpha": 0.25}).terms[1].settings) == {"alpha": 0.25}
    with pytest.raises(UsageError, match=r"arcface\.margin or cosface\.margin"):
        made("arcface + cosface", settings={"margin": 0.1})
    both = made("arcface + cosface", settings={"arcface.margin": 0.1, "cosface.margin": 0.05})
    assert [dict(term.settings)["margin"] for term in both.terms] == [0.1, 0.05]


def test_no_option_stays_open() -> None:
    """None is an option that the run's optimizer or schedule does not have."""
    config = make_config()
    missing = {name for name in RUN_OPTIONS if getattr(config, name) is None}
    of_variants = {name for name, option in RUN_OPTIONS.items() if option.source in ("optimizer", "schedule")}
    had = {
        *catalog.spec("optimizers", config.optimizer).options,
        *catalog.spec("schedules", config.schedule).options,
    }
    assert missing == of_variants - had
    assert (config.feature_dim, config.dataset, config.seed, config.val_size) == (2, "mnist", 0, 5000)
    assert make_config(epochs=None, lr=None) == config


def test_balanced_losses_get_balanced_batches() -> None:
    config = made("triplet", batch_size=128)
    assert (config.sampler, config.classes_per_batch, config.samples_per_class) == ("balanced", 10, 12)
    assert config.batch_size == 120
    shuffled = made("softmax")
    assert (shuffled.sampler, shuffled.classes_per_batch, shuffled.samples_per_class) == ("shuffled", 0, 0)
    chosen = made("softmax", classes_per_batch=5, samples_per_class=4)
    assert (chosen.sampler, chosen.batch_size) == ("balanced", 20)


@pytest.mark.parametrize(
    ("loss", "rule"),
    [
        ("softmax", "class scores"),
        ("center", "class scores"),
        ("arcface", "class scores"),
        ("triplet", "nearest class mean"),
        ("softmax + triplet", "class scores"),
    ],
)
def test_the_rule_by_which_a_loss_is_judged(loss: str, rule: str) -> None:
    assert made(loss).rule == rule


def test_value_of_says_what_was_set() -> None:
    config = made("center", lam=0.2, settings={"alpha": 0.25}, epochs=7)
    assert config.value_of("lambda") == 0.2
    assert config.value_of("alpha") == config.value_of("center.alpha") == 0.25
    assert config.value_of("epochs") == 7
    assert made("0.5*triplet").value_of("lambda") == 0.5


def test_value_of_lambda_is_the_weight_that_lambda_set() -> None:
    assert made("softmax + center + 0.1*ring", lam=0.2).value_of("lambda") == 0.2


def test_value_of_lambda_where_the_term_is_no_auxiliary() -> None:
    assert made("softmax + triplet", lam=0.2).value_of("lambda") == 0.2


# to data and back


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_every_loss_comes_back_from_its_json(name: str, dim: int) -> None:
    config = made(name, feature_dim=dim)
    data = json.loads(json.dumps(config.to_dict()))
    again = config_from_dict(data)
    assert again == config
    assert hash(again) == hash(config)
    assert again.id == config.id
    assert again.to_dict() == config.to_dict() == data
    assert config.title
    assert config.subtitle is not None


def test_several_values_are_lists_in_json() -> None:
    config = make_config(unseen=(7, 8), optimizer="sgd", schedule="step", milestones=(0.5, 0.75))
    data = config.to_dict()
    assert (data["unseen"], data["milestones"]) == ([7, 8], [0.5, 0.75])
    assert data["terms"][0]["name"] == "softmax" and data["terms"][0]["weight"] == 1.0


@pytest.mark.parametrize("name", LOSSES)
def test_every_setting_at_another_value_comes_back(name: str) -> None:
    spec = catalog.spec("losses", name)
    ids = {made(name): made(name).id}
    for key, setting in spec.settings.items():
        default = dict(made(name).terms[-1].settings)[key]
        if setting.choices:
            others: list[Any] = [choice for choice in setting.choices if choice != default]
        elif setting.type is bool:
            others = [not default]
        elif setting.type is int:
            others = [value for value in (setting.ge, setting.le, default + 1) if value != default]
        else:
            others = [setting.ge, setting.le, 0.75 * default, 1.5 * default, default + 0.01]
        valid = []
        for value in others:
            try:
                valid.append(made(name, settings={key: value}))
            except UsageError:
                continue  # an open or infinite end
        assert valid, f"{name}.{key} has no other value"
        for config in valid:
            assert config_from_dict(json.loads(json.dumps(config.to_dict()))) == config
            ids[config] = config.id
    assert len(set(ids.values())) == len(ids)


def test_sums_come_back() -> None:
    for loss in (
        "softmax + 0.001*center + 1e-05*ring",
        "0*softmax + triplet",
        "250*softmax",
        "arcface+cosface",
    ):
        config = made(loss)
        assert config_from_dict(json.loads(json.dumps(config.to_dict()))) == config


# ids


def plain_config(**changed: Any) -> RunConfig:
    """Written out, so that no default of the package decides its id."""
    values: dict[str, Any] = {
        "terms": (
            Term(name="softmax", weight=1.0, settings=(("bias", False),)),
            Term(name="center", weight=0.003, settings=(("alpha", 0.5),)),
        ),
        "network": "lenet",
        "feature_dim": 2,
        "dataset": "mnist",
        "val_size": 5000,
        "epochs": 5,
        "batch_size": 128,
        "lr": 0.003,
        "weight_decay": 0.0005,
        "seed": 0,
        "precision": "auto",
        "sampler": "shuffled",
        "classes_per_batch": 0,
        "samples_per_class": 0,
    }
    return RunConfig(**{**values, **changed})


def test_an_id_never_changes() -> None:
    # a stored run is found by it: whoever changes this number orphans every results folder
    assert plain_config().id == "fb73d3a7e2"
    assert plain_config().run_name == "center-fb73d3a7e2"


def test_an_id_differs_when_any_field_does() -> None:
    term, center = plain_config().terms
    changes: dict[str, list[Any]] = {
        "terms": [
            (term,),
            (center, term),
            (term, dataclasses.replace(center, weight=0.0030001)),
            (term, dataclasses.replace(center, settings=(("alpha", 0.6),))),
            (dataclasses.replace(term, settings=(("bias", True),)), center),
        ],
        "network": ["lenet++"],
        "feature_dim": [3],
        "dataset": ["digits"],
        "val_size": [0],
        "epochs": [6],
        "batch_size": [129],
        "augment": ["shift"],
        "lr": [0.0030000000000000005],
        "weight_decay": [0.0],
        "seed": [1],
        "precision": ["bf16"],
        "sampler": ["balanced"],
        "classes_per_batch": [1],
        "samples_per_class": [1],
        "unseen": [(7,), (7, 8)],
        "eval_split": ["val"],
        "optimizer": ["other"],
        "schedule": ["other"],
        "momentum": [0.5],
        "nesterov": [True, False],
        "lr_scale": ["loss=2"],
        "warmup": [0.0],
        "milestones": [(0.5,), (0.5, 0.75)],
        "decay": [0.1],
        "train_size": [1000],
        "imbalance": [10.0],
        "label_noise": [0.4],
        "noise_kind": ["pair"],
        "feature_activation": ["relu"],
        "image_size": [32],
        "init": ["softmax-0123456789@0123456789abcdef"],
    }
    assert set(changes) == {field.name for field in dataclasses.fields(RunConfig)}
    ids = [plain_config().id]
    ids += [plain_config(**{key: value}).id for key, values in changes.items() for value in values]
    assert len(set(ids)) == len(ids)


def test_the_same_setting_written_differently_is_the_same_run() -> None:
    written = [
        "softmax + 0.003*center",
        "softmax+3e-3*center",
        "1*softmax + .003 * center",
        "1.0*softmax+0.0030*center",
    ]
    assert len({made(loss).id for loss in written}) == 1
    assert made(lr=1).id == made(lr=1.0).id
    assert made("arcface", settings={"scale": 16}).id == made("arcface", settings={"scale": "1.6e1"}).id
    given_default = dict(made("arcface").terms[0].settings)
    assert made("arcface", settings=given_default).id == made("arcface").id
    assert made("arcface", settings={"monotone": "yes"}).id == made("arcface", settings={"monotone": True}).id


def test_unseen_classes_are_named_or_numbered() -> None:
    config = made("arcface", unseen="9, 7,7")
    assert config.unseen == (7, 9) and config.classes == 8
    assert config.labels == (0, 1, 2, 3, 4, 5, 6, 8, 7, 9)
    assert config_from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert config.unseen_names == "7, 9"
    assert config.id == made("arcface", unseen="7,9").id != made("arcface").id
    clothes = made("softmax", dataset="fashion-mnist", unseen="coat")
    assert clothes.unseen == (4,) and clothes.unseen_names == "coat"
    # ten directions in a plane stand 36 degrees apart, seven have more room
    assert dict(made("cosface").terms[0].settings) != dict(made("cosface", unseen="7,8,9").terms[0].settings)


@pytest.mark.parametrize("unseen", ["", "10", "x", "7,", "0,1,2,3,4,5,6,7,8", [10], [-1], [1.5], ["7"]])
def test_unseen_classes_that_make_no_sense_are_refused(unseen: Any) -> None:
    with pytest.raises(UsageError, match="unseen"):
        made("softmax", unseen=unseen)


def test_judging_on_validation_needs_one() -> None:
    with pytest.raises(UsageError, match="--val-size 0"):
        made("softmax", eval_split="val", val_size=0)
    assert made("softmax", eval_split="val", val_size=1).val_size == 1
    assert made("softmax", val_size=0).val_size == 0


def test_an_id_is_the_same_in_another_process() -> None:
    script = "from lossbench.runs.config_builder import make_config; print(make_config(loss='arcface', network='lenet').id)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == made("arcface").id


# refusals


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"loss": "centre"}, "Unknown loss 'centre'; did you mean center"),
        ({"loss": "Softmax"}, "did you mean softmax"),
        ({"loss": "zzzzzz"}, "there are: adacos"),
        ({"loss": "softmax + 0.1*arcfase"}, "did you mean arcface"),
        ({"loss": "softmax + softmax"}, "softmax is repeated"),
        ({"network": "lenett"}, "Unknown network 'lenett'; did you mean lenet"),
        ({"dataset": "minst"}, "Unknown data set 'minst'; did you mean mnist"),
        (
            {"loss": "center", "settings": {"alpa": 0.5}},
            "no setting 'alpa'; it has: softmax.bias, softmax.fixed, center.alpha",
        ),
        ({"loss": "center", "settings": {"ring.alpha": 0.5}}, "no setting 'ring.alpha'"),
        ({"loss": "center", "settings": {"center.radius": 0.5}}, "no setting 'radius'"),
        ({"loss": "center", "settings": {"alpha": 0}}, "alpha = 0 is outside (0, 1]"),
        ({"loss": "center", "settings": {"alpha": 1.1}}, "alpha = 1.1 is outside (0, 1]"),
        ({"loss": "center", "settings": {"alpha": -0.5}}, "alpha = -0.5 is outside (0, 1]"),
        ({"loss": "center", "settings": {"alpha": math.nan}}, "alpha = nan is not a finite number"),
        ({"loss": "center", "settings": {"alpha": math.inf}}, "alpha = inf is not a finite number"),
        ({"loss": "center", "settings": {"alpha": "half"}}, "alpha = half is not a number"),
        ({"loss": "center", "settings": {"alpha": True}}, "alpha = True is not a number"),
        ({"loss": "center", "settings": {"alpha": HUGE}}, "not a finite number"),
        ({"loss": "arcface", "settings": {"margin": 3.2}}, "margin = 3.2 is outside"),
        ({"loss": "arcface", "settings": {"scale": 0}}, "scale = 0 is outside (0, ∞)"),
        (
            {"loss": "arcface", "settings": {"monotone": "maybe"}},
            "monotone = maybe is neither true nor false",
        ),
        ({"loss": "center", "lam": -0.1}, "weight of center is -0.1"),
        ({"loss": "center", "lam": math.nan}, "weight of center is nan"),
        ({"loss": "center", "lam": math.inf}, "weight of center is inf"),
        ({"loss": "center", "lam": HUGE}, "weight of center"),
        ({"loss": "softmax", "lam": 0.1}, "--lambda is the weight of one auxiliary term"),
        ({"loss": "0.1*center", "lam": 0.1}, "--lambda is the weight of one auxiliary term"),
        ({"loss": "softmax + center + ring", "lam": 0.1}, "has several"),
        ({"epochs": 0}, "--epochs 0 is too small"),
        ({"epochs": -1}, "--epochs -1 is too small"),
        ({"epochs": 1.5}, "--epochs 1.5 is not a whole number"),
        ({"epochs": math.nan}, "--epochs nan is not a number"),
        ({"epochs": "5"}, "--epochs 5 is not a number"),
        ({"epochs": True}, "--epochs True is not a number"),
        ({"epochs": 2**40}, "--epochs 1099511627776 is too large"),
        ({"epochs": HUGE}, "--epochs"),
        ({"feature_dim": 0}, "--feature-dim 0 is too small"),
        ({"batch_size": 0}, "--batch-size 0 is too small"),
        ({"val_size": -1}, "--val-size -1 is too small"),
        ({"seed": -1}, "--seed -1 is too small"),
        ({"seed": HUGE}, "--seed"),
        ({"lr": 0}, "--lr 0 is too small"),
        ({"lr": -0.1}, "--lr -0.1 is too small"),
        ({"lr": math.nan}, "--lr nan is not a number"),
        ({"lr": math.inf}, "--lr inf is not a finite number"),
        ({"loss": "center", "lam": math.inf}, "a weight (lambda) is finite and at least 0"),
        ({"augment": "shift,"}, "--augment '' is not one of"),
        ({"augment": "none,shift"}, "--augment none,shift: none stands alone"),
        (
            {"loss": "center", "settings": {"alpha": 0.1, "center.alpha": 0.2}},
            "alpha and center.alpha are the same setting; give one of them",
        ),
        ({"unseen": "7,"}, "--unseen '' is not a class"),
        ({"lr_scale": "loss=1,loss=2"}, "--lr-scale loss=2"),
        ({"lr": 1e30}, "--lr 1e+30 is too large"),
        ({"weight_decay": -1e-9}, "--weight-decay -1e-09 is too small"),
        ({"precision": "fp16"}, "--precision fp16 is not one of auto, fp32, bf16"),
        ({"sampler": "random"}, "--sampler random is not one of auto, shuffled, balanced"),
        ({"loss": "triplet", "classes_per_batch": 11}, "--classes-per-batch 11 is more than the 10 classes"),
        ({"loss": "triplet", "classes_per_batch": -1}, "--classes-per-batch -1 is too small"),
        ({"loss": "triplet", "samples_per_class": -1}, "--samples-per-class -1 is too small"),
    ],
)
def test_a_bad_value_gets_one_sentence(options: dict[str, Any], part: str) -> None:
    assert part in refusal(**options)


@pytest.mark.parametrize("option", ["samples_per_class", "classes_per_batch"])
def test_an_option_of_balanced_batches_is_not_ignored(option: str) -> None:
    assert made("softmax", **{option: 5}).sampler == "balanced"
    assert "need balanced batches" in refusal(sampler="shuffled", **{option: 5})


def test_a_huge_feature_dimension_is_refused_before_it_is_allocated() -> None:
    script = (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (5, 5))\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**33, 2**33))\n"
        "from lossbench.runs.config_builder import make_config\n"
        "from lossbench.errors import UsageError\n"
        "try:\n    make_config(loss='arcface', network='lenet', feature_dim=2**31)\n"
        "except UsageError:\n    pass\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-300:]


# refusals of stored data


def stored() -> dict[str, Any]:
    return json.loads(json.dumps(made("center").to_dict()))


def test_missing_and_unknown_keys_are_refused() -> None:
    for key in REQUIRED:
        data = stored()
        del data[key]
        with pytest.raises(UsageError):
            config_from_dict(data)
    for data in ({}, [], None, "softmax", 5, {**stored(), "device": "cpu"}, {"format": 1, **stored()}):
        with pytest.raises(UsageError):
            config_from_dict(data)  # type: ignore[arg-type]


def places(data: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path to every value inside, containers included."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [place for key, value in items for place in [(*at, key), *places(value, (*at, key))]]


def replaced(place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    data = stored()
    inside: Any = data
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = value
    return data


@pytest.mark.parametrize("place", places(stored()), ids=str)
@pytest.mark.parametrize(
    "value",
    [None, "x", "5", [], {}, -1, -0.5, math.nan, math.inf, [1], {"a": 1}, HUGE],
    ids=lambda value: repr(value)[:8],
)
def test_a_wrong_value_anywhere_is_refused(place: tuple[Any, ...], value: Any) -> None:
    with pytest.raises(UsageError):
        config_from_dict(replaced(place, value))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("terms", 0, "weight"), True),
        (("terms", 0, "settings", "bias"), 0),
        (("terms", 0, "settings", "bias"), "false"),
        (("terms", 1, "weight"), "0.003"),
        (("terms", 1, "settings", "alpha"), "0.5"),
        (("epochs",), 5.0),
        (("seed",), False),
        (("classes_per_batch",), False),
        (("lr",), "0.003"),
    ],
)
def test_a_value_of_another_type_is_refused(place: tuple[Any, ...], value: Any) -> None:
    with pytest.raises(UsageError):
        config_from_dict(replaced(place, value))


def test_what_make_config_would_have_resolved_otherwise_is_refused() -> None:
    for edited in (
        {"classes_per_batch": 5},  # a shuffled run has none
        {"sampler": "auto"},
        {"sampler": "balanced"},
        {"terms": []},
        {"terms": [*stored()["terms"], {"name": "softmax", "weight": 1.0, "settings": {"bias": False}}]},
        {"terms": [{"name": "softmax + 1.0*center", "weight": 1.0, "settings": {}}]},
        {"terms": [{"name": "softmax", "weight": 1.0, "settings": {}}]},
        {"terms": [{"name": "softmax", "weight": 1.0, "settings": [["bias", False]]}]},
        {"terms": [{"name": "softmax", "weight": 1.0, "settings": {"bias": False}, "note": "mine"}]},
        {"terms": [{"name": " softmax", "weight": 1.0, "settings": {"bias": False}}]},
    ):
        with pytest.raises(UsageError):
            config_from_dict({**stored(), **edited})


_JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.just(HUGE),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from(
            ["softmax", "center", "lenet", "mnist", "auto", "shuffled", "balanced", "bias", "alpha"]
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.text(max_size=8), st.sampled_from(["name", "weight", "settings"])), inner, max_size=4
        ),
    ),
    max_leaves=8,
)


def _accepted_or_refused(data: Any) -> None:
    try:
        config = config_from_dict(data)
    except UsageError:
        return
    assert config.to_dict() == data


@FUZZ
@given(_JSON)
def test_any_json_is_accepted_or_refused(data: Any) -> None:
    _accepted_or_refused(data)


@FUZZ
@given(st.sampled_from(places(stored())), _JSON)
@example(("epochs",), HUGE)
@example(("terms", 1, "weight"), HUGE)
@example(("terms", 1, "settings", "alpha"), HUGE)
@example(("terms", 0, "name"), [])
@example(("network",), {})
def test_any_json_inside_a_stored_config_is_accepted_or_refused(place: tuple[Any, ...], value: Any) -> None:
    if place[0] == "feature_dim" and isinstance(value, int) and value > 10**4:
        return  # has a test of its own, which limits the memory
    before = copy.deepcopy(value)
    _accepted_or_refused(replaced(place, value))
    assert repr(value) == repr(before)


# warnings of feasibility


def test_margins_beyond_the_plane_are_warned_of() -> None:
    (warning,) = warnings_of(made("arcface", settings={"margin": 0.7}))
    assert warning.startswith("arcface: margin 0.7")
    assert "10 classes in 2 dimensions" in warning
    assert "0.628" in warning
    (warning,) = warnings_of(made("cosface", settings={"margin": 0.2}))
    assert "0.191" in warning
    assert warnings_of(made("cosface", settings={"margin": 0.19})) == []
    assert warnings_of(made("arcface", settings={"margin": 0.62})) == []
    assert warnings_of(made("arcface", settings={"margin": 0.7}, feature_dim=9)) == []


def test_scales_below_the_useful_one_are_warned_of() -> None:
    (warning,) = warnings_of(made("arcface", settings={"scale": 10}))
    assert warning.startswith("arcface: scale 10 is small")
    assert warnings_of(made("arcface", settings={"scale": 16})) == []
    assert warnings_of(made("arcface", settings={"scale": 10}, feature_dim=9)) == []
    both = warnings_of(made("softmax + arcface", settings={"scale": 10, "margin": 0.7}))
    assert len(both) == 2


@pytest.mark.parametrize(
    ("name", "dim"), [*itertools.product(LOSSES, (2, 3)), ("arcface", 64), ("cosface", 512)]
)
def test_no_default_is_warned_of(name: str, dim: int) -> None:
    assert warnings_of(made(name, feature_dim=dim)) == []


# options


def test_every_field_but_the_terms_is_declared_as_an_option_with_help_and_panel() -> None:
    assert {*RUN_OPTIONS, "terms"} == {field.name for field in dataclasses.fields(RunConfig)}
    for name, option in RUN_OPTIONS.items():
        assert option.flag == "--" + name.replace("_", "-")
        assert option.help.endswith(".") and option.panel


def test_the_defaults_of_a_config_are_those_that_its_options_declare() -> None:
    config = make_config()
    for name, option in RUN_OPTIONS.items():
        if option.default not in (None, 0, "auto"):
            assert getattr(config, name) == option.default, name
    for dataset in ("digits", "mnist"):
        spec = catalog.spec("data", dataset)
        assert (make_config(dataset=dataset).epochs, make_config(dataset=dataset).val_size) == (
            spec.epochs,
            spec.val_size,
        )
    assert default_text(RUN_OPTIONS, RUN_OPTIONS["epochs"]) == "the data set's, 4 for mnist"
    assert default_text(RUN_OPTIONS, RUN_OPTIONS["lr"]) == "the optimizer's, 0.05 for muon"
    for optimizer, shown in (("muon", "on"), ("sgd", "off"), ("adamw", "none")):
        options = {
            **RUN_OPTIONS,
            "optimizer": dataclasses.replace(RUN_OPTIONS["optimizer"], default=optimizer),
        }
        assert default_text(options, RUN_OPTIONS["nesterov"]) == f"the optimizer's, {shown} for {optimizer}"


def test_optimizer_and_schedule_are_part_of_a_run_but_not_of_the_json_of_older_runs() -> None:
    config = made(recipe="compact")
    assert (config.optimizer, config.schedule) == ("adamw", "linear")
    assert not {"optimizer", "schedule"} & set(config.to_dict())
    assert "optimizer" in dataclasses.replace(config, optimizer="other").to_dict()
    written = {**config.to_dict(), "optimizer": "adamw"}
    with pytest.raises(UsageError, match="not the settings of a run"):
        config_from_dict(written)  # not how such a run is written
    assert refusal(optimizer="adamv") == "Unknown optimizer 'adamv'; did you mean adamw?"
    assert "Unknown schedule 'liner'; did you mean linear" in refusal(schedule="liner")


def test_an_option_that_does_not_exist_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(TypeError, match="'epoch'"):
        made(epoch=3)


@pytest.mark.parametrize(
    ("text", "labels"),
    [("7-9", (7, 8, 9)), ("0-1, 9", (0, 1, 9)), ("7-7", (7,)), ("7 - 9", (7, 8, 9)), ("7-9,8", (7, 8, 9))],
)
def test_unseen_classes_can_be_a_range(text: str, labels: tuple[int, ...]) -> None:
    assert made("softmax", unseen=text).unseen == labels
    assert made("softmax", unseen=text).id == made("softmax", unseen=",".join(map(str, labels))).id


def test_hyphens_of_class_names_are_no_ranges() -> None:
    assert made("softmax", dataset="fashion-mnist", unseen="T-shirt").unseen == (0,)
    assert made("softmax", dataset="fashion-mnist", unseen="T-shirt-pullover").unseen == (0, 1, 2)


@pytest.mark.parametrize("text", ["9-7", "7-", "-7", "7-12", "7-8-9", "-"])
def test_what_is_no_range_of_classes_is_a_sentence(text: str) -> None:
    with pytest.raises(UsageError, match=r"--unseen .* is not a class or range"):
        made("softmax", unseen=text)


def test_a_batch_of_one_is_a_sentence_where_the_network_has_batch_norm() -> None:
    with pytest.raises(UsageError, match=r"--batch-size 1 is too small; .* needs 2 samples"):
        made("softmax", network="compact", batch_size=1)
    assert made("softmax", network="compact", batch_size=2).batch_size == 2
    assert made("softmax", network="lenet", batch_size=1).batch_size == 1


@pytest.mark.parametrize(
    ("options", "subtitle"),
    [
        ({"loss": "arcface"}, "m = 0.3, s = 16"),
        (
            {"loss": "arcface", "settings": {"scale": 20.5, "easy_margin": True}},
            "easy margin = true, m = 0.3, s = 20.5",
        ),
        ({"loss": "sphereface", "settings": {"lambda_min": 0.5}}, "λ min = 0.5, m = 4, s = 24"),
        ({"loss": "triplet", "settings": {"mining": "hard"}}, "m = 1, mining = hard"),
        ({"loss": "combined-margin"}, "m1 = 1, m2 = 0.2, m3 = 0.05, s = 16"),
        ({"loss": "center", "lam": 1e-5}, "λ = 1e-5, α = 0.5"),
        ({"loss": "0.5*softmax"}, "λ = 0.5"),
        ({"loss": "subcenter-arcface", "settings": {"subcenters": 4}}, "m = 0.3, s = 16, subcenters = 4"),
        ({"loss": "arcface + triplet"}, "arcface m = 0.3, s = 16, triplet m = 1"),
        (
            {"loss": "0.1*center + 0.2*git"},
            "center λ = 0.1, center α = 0.5, git λ = 0.2, git α = 0.5",
        ),
        ({"loss": "softmax + 0.5*gcpl", "settings": {"lam": 0.01}}, "weight = 0.5, λ = 0.01"),
        ({"loss": "lgm + center"}, "lgm α = 1, center λ = 1, center α = 0.5"),
    ],
)
def test_settings_are_written_in_the_letters_of_the_papers(options: dict[str, Any], subtitle: str) -> None:
    assert make_config(**options).subtitle == subtitle


def test_rates_of_the_network_and_of_the_loss() -> None:
    assert make_config(loss="center").lr_scales == {"network": 1.0, "loss": 1.0}
    assert make_config(loss="center", lr_scale="loss=10").lr_scales == {"network": 1.0, "loss": 10.0}
    assert make_config(loss="center", lr_scale="network=0.5").lr_scales == {"network": 0.5, "loss": 1.0}
    assert make_config(loss="center", lr_scale="loss=0").lr_scales == {"network": 1.0, "loss": 0.0}


@pytest.mark.parametrize(
    ("option", "largest", "beyond", "others"),
    [
        ("feature_dim", 4096, 4097, {}),
        ("epochs", 100_000, 100_001, {}),
        ("momentum", 0.999, 0.9999, {}),
        ("warmup", 0.9, 0.91, {}),
        ("decay", 1.0, 1.01, {"schedule": "step"}),
        ("imbalance", 1e6, 1e6 + 1, {}),
        ("label_noise", 1.0, 1.01, {}),
        ("batch_size", 2**31, 2**31 + 1, {}),
    ],
)
def test_an_option_is_allowed_up_to_its_largest_value(
    option: str, largest: float, beyond: float, others: dict[str, Any]
) -> None:
    assert getattr(made(**{option: largest}, **others), option) == largest
    assert "is too large; the limit is" in refusal(**{option: beyond}, **others)


def test_every_class_is_in_the_training_and_has_a_pair() -> None:
    assert made(train_size=10).train_size == 10
    assert "--train-size 9 is less than the 10 classes" in refusal(train_size=9)
    few = made("triplet", batch_size=10)
    assert (few.samples_per_class, few.batch_size) == (2, 20)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("softmax", True),
        ("center", True),
        ("triplet + 0.1*softmax", True),
        ("triplet", False),
        ("squared", False),
    ],
)
def test_class_scores_are_probabilities_where_a_classifier_says_so(loss: str, expected: bool) -> None:
    assert made(loss).probabilities == expected
