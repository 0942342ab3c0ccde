"""What a study varies: the space of every loss of the catalogue, what is fixed, and what a stored result must be."""

from __future__ import annotations

import itertools
import json
import re

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import FixedTrial

from lossbench.errors import RunError, UnknownName, UsageError
from lossbench.experiments import search_space
from lossbench.experiments.search_space import Range, StudyConfig, several_losses
from lossbench.experiments.tuning_result import TuningResult
from lossbench.runs.config import loss_spec
from lossbench.specs import catalog
from tests.helpers.own_code import forget

LOSSES = catalog.names("losses")


def study_config(loss="center", seeds=(0, 1), metric="val_accuracy", **fixed):
    return StudyConfig(loss, {"dataset": "digits", **fixed}, seeds, metric)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_space_is_what_the_spec_says_and_the_learning_rate(loss):
    spec, found = loss_spec(loss), study_config(loss).space()
    swept = {f"{loss}.{key}" for key, setting in spec.settings.items() if setting.sweep}
    weight = {"lambda"} if spec.weight is not None and spec.weight.sweep else set()
    assert set(found) == swept | weight | {"lr"}
    default = study_config(loss).default_run.lr
    assert found.pop("lr") == search_space.Range(default / 8, 4 * default, True, False, default)
    for name, bounds in found.items():
        setting = spec.weight if name == "lambda" else spec.settings[name.rpartition(".")[2]]
        low, high, kind, _ = setting.sweep.split(":")
        assert bounds.low <= float(low) < float(high) <= bounds.high
        assert bounds.log == (kind == "log")
        assert bounds.whole == (setting.type is int)


@pytest.mark.parametrize("loss", LOSSES)
def test_defaults_and_corners_are_runs(loss):
    study = study_config(loss)
    bounds = study.space()
    assert study.run_config(study.default_point(), 0) == study.default_run
    for name, value in study.default_point().items():
        assert bounds[name].low <= value <= bounds[name].high
    trial = FixedTrial(study.default_point())  # refuses what the ranges do not contain
    study.suggest(trial)
    assert trial.params == study.default_point()
    for corner in itertools.product(*((r.low, r.high) for r in bounds.values())):
        point = {n: int(v) if bounds[n].whole else v for n, v in zip(bounds, corner, strict=True)}
        config = study.run_config(point, 1)
        assert (config.seed, config.eval_split) == (1, "val")
        assert {name: config.value_of(name) for name in point} == point


def test_a_search_proposes_whole_numbers_where_only_these_are_allowed():
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = study_config("softtriple")
    whole = [name for name, bounds in study.space().items() if bounds.whole]
    assert whole
    optimizer = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(8):
        study.suggest(trial := optimizer.ask())
        assert {type(value) for name, value in trial.params.items() if name in whole} == {int}
        study.run_config(trial.params, 0)


@given(data=st.data(), loss=st.sampled_from(LOSSES))
@settings(max_examples=60, deadline=None)
def test_every_point_of_a_space_is_a_run_with_these_settings(data, loss):
    study = study_config(loss)
    point = {
        name: data.draw(st.integers(int(r.low), int(r.high)) if r.whole else st.floats(r.low, r.high))
        for name, r in study.space().items()
    }
    config = study.run_config(point, 7)
    assert {name: config.value_of(name) for name in point} == point
    assert config.seed == 7


@pytest.mark.parametrize(
    ("loss", "fixed", "gone"),
    [
        ("arcface", {"margin": 0.2}, {"arcface.margin"}),
        ("arcface", {"arcface.margin": 0.2, "lr": 0.01}, {"arcface.margin", "lr"}),
        ("center", {"lambda": 0.1}, {"lambda"}),
        ("center", {"alpha": 0.3, "epochs": 3}, {"center.alpha"}),
        ("softmax + 0.5*center + 0.1*island", {"center.alpha": 0.3}, {"center.alpha"}),
    ],
)
def test_what_the_user_fixes_is_not_searched(loss, fixed, gone):
    study, free = study_config(loss, **fixed), study_config(loss)
    assert set(study.space()) == set(study.default_point()) == set(free.space()) - gone
    study.suggest(trial := FixedTrial(study.default_point()))
    assert set(trial.params) == set(study.space())
    name, value = next(iter(fixed.items()))
    assert study.run_config(study.default_point(), 0).value_of(name) == value


@pytest.mark.parametrize(
    ("loss", "weight", "default"),
    [
        ("center", "lambda", 0.003),
        ("softmax + center", "lambda", 1.0),
        ("softmax + 0.01*center", None, None),
        ("softmax + triplet", None, None),  # lambda sets its weight, but its SPEC has no range
        ("softmax + center + island", None, None),  # two could be meant
        ("softmax + 0.5*center + island", "lambda", 1.0),  # the one without a written weight
    ],
)
def test_the_weight_of_a_sum_is_searched_where_lambda_means_one_term(loss, weight, default):
    found = study_config(loss).default_point()
    assert ("lambda" in found) == (weight is not None)
    assert found.get("lambda") == default
    owners = {name.partition(".")[0] for name in found if "." in name}
    assert owners <= set(study_config(loss).default_run.loss.split("+"))


def test_a_fixed_name_that_two_terms_have_is_refused():
    with pytest.raises(UsageError, match=r"center\.alpha or island\.alpha"):
        study_config("softmax + center + island", alpha=0.3).space()


def test_a_default_outside_the_sweep_widens_the_range_and_zero_has_no_logarithm():
    assert search_space._range("x", "1:4:lin:2", whole=False, default=6.0)[:2] == (1.0, 6.0)
    assert search_space._range("x", "0.1:1:log:2", whole=False, default=0.01)[0] == 0.01
    assert search_space._range("x", "0.1:1:log:2", whole=False, default=0.0).default == 0.1


def test_another_space_or_objective_is_another_study():
    others = [
        study_config(),
        study_config(seeds=(0,)),
        study_config(seeds=(1, 0)),
        study_config(metric="spread-gap"),
        study_config(epochs=3),
        study_config(lr=0.008),  # the default, but no longer searched
        study_config(loss="softmax + 0.003*center"),
        study_config(loss="island"),
    ]
    assert len({study.name for study in others}) == len(others)
    assert study_config().name == study_config().name
    assert all(re.fullmatch("[0-9a-f]{10}", study.name) for study in others)
    assert [study.direction for study in others[:4:3]] == ["maximize", "minimize"]


def test_changed_code_of_a_user_is_another_study(tmp_path, monkeypatch):
    """Else trials of the code before would be counted for the code after."""
    monkeypatch.syspath_prepend(tmp_path)
    code = "from lossbench.losses import Softmax\n\nclass Loss(Softmax):\n    factor = {}\n"
    names = []
    for factor in (1.0, 2.0, 1.0):
        forget("changing_loss")
        (tmp_path / "changing_loss.py").write_text(code.format(factor), encoding="utf-8")
        alone, several = study_config("changing_loss:Loss"), ["softmax", "changing_loss:Loss"]
        search = several_losses(several, {"dataset": "digits"}, (3,), "val_accuracy")
        names.append((alone.name, search.name))
    assert names[0] == names[2]
    assert not {*names[0]} & {*names[1]}
    forget("changing_loss")


@pytest.mark.parametrize("losses", [["center"], ["softmax", "center"]])
def test_a_search_over_losses_asks_the_same_of_each(losses):
    search = several_losses(losses, {"dataset": "digits"}, (3, 4), "map-at-r")
    assert search.loss == ", ".join(losses)
    assert (search.seeds, search.metric, search.direction) == ((3, 4), "map-at-r", "maximize")
    assert search.default_run == study_config(losses[0], (3, 4), "map-at-r").default_run
    assert [point["loss"] for point in search.default_points()] == losses


def test_a_metric_without_a_better_side_is_refused(monkeypatch):
    monkeypatch.setattr(search_space, "higher_is_better", lambda metric: None)
    with pytest.raises(UsageError, match="neither higher nor lower"):
        _ = study_config().direction


def stored():
    study = study_config()
    return TuningResult(
        loss="center",
        study=study.name,
        point=study.default_point(),
        value=0.5,
        default_value=None,
        metric="val_accuracy",
        seeds=(0, 1),
        trials=2,
        diverged=1,
        pruned=0,
        space=study.space(),
        values=[None, 0.5],
        curve=[None, 0.5],
        config=study.default_run,
    ).to_dict()


def test_a_stored_result_is_read_back():
    data = json.loads(json.dumps(stored()))
    assert TuningResult.from_dict(data).to_dict() == data
    assert TuningResult.from_dict(data).space["lr"] == study_config().space()["lr"]
    assert isinstance(TuningResult.from_dict(data).space["lr"], Range)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"point": []},
        {"point": {"lambda": "much"}},
        {"point": {"lr": None}},
        {"point": {"center.alpha": 7}},
        {"point": {"center.beta": 0.1}},
        {"point": {"lr": [1]}},
        {"point": {"lr": 10**400}},
        {"loss": None},
        {"loss": "centre"},
        {"metric": "accuracies"},
        {"metric": 3},
        {"trials": 3},
        {"trials": "2"},
        {"values": [0.5]},
        {"values": ["a", "b"]},
        {"values": None},
        {"curve": [None, None]},
        {"curve": [0.1, float("nan")]},
        {"curve": [0.1, 10**400]},
        {"curve": [], "values": [], "trials": 0},
        {"config": {}},
    ],
    ids=str,
)
def test_a_result_changed_by_hand_is_noticed(change):
    with pytest.raises((RunError, UnknownName)):
        TuningResult.from_dict({**stored(), **change})
    missing = {name: value for name, value in stored().items() if name not in change}
    with pytest.raises(RunError):
        TuningResult.from_dict(missing)


@pytest.mark.parametrize("data", [None, [], "text", 3, {}])
def test_other_json_is_no_result(data):
    with pytest.raises(RunError):
        TuningResult.from_dict(data)
