"""Recipes: values that replace the defaults, by name or by the loss's paper; and the options they set."""

from __future__ import annotations

import json

import pytest

from lossbench.errors import UsageError
from lossbench.runs.config import RUN_OPTIONS
from lossbench.runs.config_builder import make_config
from lossbench.runs.stored_config import config_from_dict
from lossbench.specs import catalog


def test_the_recipe_of_the_center_loss_paper_is_that_of_the_released_solver() -> None:
    config = make_config(loss="center", recipe="paper")
    assert config == make_config(loss="center", recipe="center-paper")
    assert (config.network, config.optimizer, config.schedule) == ("lenet++-released", "sgd", "step")
    assert (config.lr, config.momentum, config.weight_decay, config.nesterov) == (0.01, 0.9, 5e-4, False)
    assert (config.milestones, config.decay, config.warmup) == ((0.5, 0.8), 0.8, 0.0)
    assert [(term.name, term.weight) for term in config.terms] == [("softmax", 1.0), ("center", 0.01)]
    assert dict(config.terms[0].settings) == {"bias": False, "fixed": False}
    assert dict(config.terms[1].settings) == {"alpha": 0.5}
    steps = config.epochs * (55_000 // config.batch_size)
    assert abs(steps - 10_000) < 429, "the released solver takes 10,000 steps"


def test_the_recipe_of_the_git_loss_paper_is_that_of_the_released_code() -> None:
    """gitloss.py: Adam at 0.001, lambda_c = lambda_g = 1, centers move by half."""
    config = make_config(loss="git", recipe="paper")
    assert (config.optimizer, config.lr, config.weight_decay, config.schedule) == (
        "adamw",
        0.001,
        0,
        "constant",
    )
    assert [(term.name, term.weight) for term in config.terms] == [("softmax", 1.0), ("git", 1.0)]
    assert dict(config.terms[1].settings) == {"alpha": 0.5, "push": 1.0}
    steps = config.epochs * (55_000 // config.batch_size)
    assert abs(steps - 8_000) < 429, "the released code takes 8,000 steps"


def test_options_that_are_given_replace_those_of_the_recipe() -> None:
    config = make_config(loss="center", recipe="paper", epochs=2, lam=0.5, settings={"center.alpha": 0.1})
    assert (config.epochs, config.terms[1].weight) == (2, 0.5)
    assert dict(config.terms[1].settings)["alpha"] == 0.1
    other = make_config(recipe="paper", optimizer="adamw")
    assert (other.lr, other.momentum) == (catalog.spec("optimizers", "adamw").lr, None), "its own defaults"
    same = make_config(recipe="paper", optimizer="sgd")
    assert same.lr == 0.01, "the recipe's optimizer keeps the recipe's rate"


def test_any_loss_can_be_trained_by_a_recipe_that_is_named() -> None:
    config = make_config(loss="arcface", recipe="center-paper")
    assert config.network == "lenet++-released"
    with pytest.raises(UsageError, match=r"none for arcface; .*center-paper \(softmax, center\)"):
        make_config(loss="arcface", recipe="paper")
    with pytest.raises(UsageError, match="recipe"):
        make_config(recipe="papr")


def test_the_fast_recipe_is_the_defaults() -> None:
    assert make_config(recipe="fast") == make_config()


def test_the_compact_recipe_trains_a_larger_network_for_more_epochs() -> None:
    for dataset in ("mnist", "digits"):
        config, usual = make_config(recipe="compact", dataset=dataset), make_config(dataset=dataset)
        assert (config.network, config.optimizer, config.augment) == ("compact", "adamw", "none")
        assert config.epochs == round(usual.epochs * 1.5)
    assert make_config(recipe="compact", epochs=3).epochs == 3


@pytest.mark.parametrize("name", catalog.names("recipes"))
def test_a_recipe_names_options_and_losses_that_there_are(name: str) -> None:
    spec = catalog.spec("recipes", name)
    assert set(spec.options) <= set(RUN_OPTIONS)
    assert set(spec.losses) <= set(catalog.names("losses"))
    for loss in spec.losses:
        config = make_config(loss=loss, recipe="paper")
        assert config == make_config(loss=loss, recipe=name)
        assert config_from_dict(config.to_dict()) == config


def test_the_recipe_is_no_part_of_the_run() -> None:
    written_out = {
        key: value for key, value in make_config(recipe="paper").to_dict().items() if key != "terms"
    }
    written_out["eval_split"] = written_out.pop("judged_on", "test")
    written_out.setdefault("augment", "none")  # left out of what is stored
    assert make_config(**written_out).id == make_config(recipe="paper").id


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"optimizer": "adamw", "momentum": 0.5}, "--momentum: optimizer adamw has no such option."),
        ({"optimizer": "adamw", "nesterov": True}, "--nesterov: optimizer adamw has no such option."),
        ({"schedule": "linear", "decay": 0.5}, "--decay: schedule linear has no such option."),
        (
            {"schedule": "constant", "milestones": "0.5"},
            "--milestones: schedule constant has no such option.",
        ),
        ({"schedule": "step", "milestones": "0.5,0.2"}, "--milestones are rising fractions"),
        ({"schedule": "step", "milestones": "0.5,1"}, "--milestones are rising fractions"),
        ({"schedule": "step", "milestones": "half"}, "--milestones half: write fractions"),
        ({"optimizer": "sgd", "momentum": 1.0}, "--momentum 1.0 is too large"),
        ({"warmup": 1.0}, "--warmup 1.0 is too large"),
        ({"lr_scale": "centers=2"}, "--lr-scale centers=2: write it like"),
        ({"lr_scale": "loss"}, "--lr-scale loss: write it like"),
        ({"lr_scale": "loss=-1"}, "--lr-scale loss=-1: write it like"),
    ],
)
def test_an_option_that_does_not_apply_or_makes_no_sense_is_a_sentence(options, sentence) -> None:
    with pytest.raises(UsageError) as caught:
        make_config(**options)
    assert str(caught.value).startswith(sentence)


def test_scales_of_the_rate_have_one_spelling() -> None:
    config = make_config(lr_scale=" loss = 10.0 , network=1")
    assert config.lr_scale == "loss=10"
    assert config.lr_scales == {"network": 1.0, "loss": 10.0}
    assert config.id != make_config().id
    assert config_from_dict(config.to_dict()) == config


def test_stored_runs_without_these_options_are_of_adamw_and_the_linear_schedule() -> None:
    data = make_config(optimizer="adamw", schedule="linear").to_dict()
    assert not {"optimizer", "schedule", "momentum", "warmup", "milestones", "lr_scale"} & set(data)
    config = config_from_dict(data)
    assert (config.optimizer, config.schedule, config.warmup, config.momentum) == (
        "adamw",
        "linear",
        0.2,
        None,
    )


def test_explain_says_what_the_paper_trains_with(capsys) -> None:
    from lossbench.__main__ import main

    main(["explain", "center"])
    text = " ".join(capsys.readouterr().out.split())
    spec = catalog.spec("recipes", "center-paper")
    assert spec.source in text
    assert " ".join(spec.departures.split()) in text
    main(["explain", "center", "--json"])
    assert json.loads(capsys.readouterr().out)["recipe"]["network"] == "lenet++-released"
    main(["explain", "arcface", "--json"])
    assert json.loads(capsys.readouterr().out)["recipe"] is None


def test_the_values_of_a_recipe_hold_for_any_data_set() -> None:
    for dataset in ("mnist", "digits"):
        config = make_config(recipe="paper", dataset=dataset)
        assert (config.epochs, config.augment) == (23, "none")
