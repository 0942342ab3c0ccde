"""Which stored runs a figure shows: those asked for, and all under the same conditions."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest

from lossbench.cli._selection import make_filter
from lossbench.errors import RunError, UsageError
from lossbench.experiments.comparison import unique_labels
from lossbench.experiments.summary import summarize
from lossbench.reports.document import comparison_title
from lossbench.reports.result_tables import results_table
from lossbench.runs.conditions import (
    describe_differences,
    distinguishing_conditions,
    name_differences,
    one_seed,
)
from lossbench.runs.config_builder import make_config
from lossbench.runs.filter import RunFilter, has_loss
from lossbench.runs.outcome import Outcome
from lossbench.runs.result import Status
from lossbench.runs.selection import select, swept_names
from lossbench.runs.stored_run import UntrainedRun
from lossbench.runs.term import Term

THREE = ("softmax", "center", "arcface")


def stored(*configs, precision=""):
    """Finished runs, oldest first."""
    folder = SimpleNamespace(has_snapshots=False)
    result = SimpleNamespace(precision=precision)
    return [SimpleNamespace(config=c, seed=c.seed, result=result, folder=folder) for c in configs]


def config(loss, seed=0, **options):
    return make_config(loss=loss, seed=seed, **{"dataset": "digits", **options})


def shown(runs, which="compared", losses=None, axes=1, over=(), **values):
    return select(runs, RunFilter(losses=losses, values=values), which, axes, over)


def selected(*arguments, **options):
    return [(r.config.loss, r.seed, r.config.feature_dim) for r in shown(*arguments, **options)]


def test_runs_of_two_data_sets_are_never_shown_together():
    runs = stored(config("softmax", dataset="mnist"), config("center"))
    assert selected(runs) == [("center", 0, 2)]
    with pytest.raises(RunError, match="not trained under the same conditions") as error:
        shown(runs, losses=("softmax", "center"))
    assert "data set Digits" in str(error.value)
    assert "data set MNIST" in str(error.value)
    assert "lossbench train --loss softmax --dataset digits" in str(error.value)


def test_runs_of_two_seeds_are_never_shown_together():
    runs = stored(config("softmax", 4), config("center", 5))
    assert selected(runs) == [("center", 5, 2)]
    with pytest.raises(RunError, match=r"seed 4.*seed 5|seed 5.*seed 4"):
        shown(runs, losses=("softmax", "center"))


OTHER = [
    {"epochs": 1},
    {"feature_dim": 3},
    {"network": "lenet"},
    {"batch_size": 64},
    {"lr": 0.1},
    {"weight_decay": 0.3},
    {"val_size": 100},
    {"precision": "bf16"},
    {"sampler": "balanced"},
    {"unseen": "7,8,9"},
    {"eval_split": "val"},
    {"dataset": "mnist"},
    {"seed": 1},
]


@pytest.mark.parametrize("options", OTHER, ids=lambda each: next(iter(each)))
@pytest.mark.parametrize("other_loss", ["center", "triplet"])
def test_a_run_under_another_condition_is_not_shown_beside_the_others(options, other_loss):
    if other_loss == "triplet" and "sampler" in options:
        pytest.skip("its batches are balanced anyway")
    runs = stored(config("softmax"), config("arcface"), config(other_loss, **options))
    with pytest.raises(RunError, match="same conditions"):
        shown(runs, losses=("softmax", "arcface", other_loss))
    complete = [*stored(config(other_loss)), *runs]
    kept = shown(complete, losses=("softmax", "arcface", other_loss))
    assert [run.config for run in kept] == [config("softmax"), config("arcface"), config(other_loss)]


def test_automatic_precision_is_what_it_was_when_the_run_was_trained():
    one, other = stored(config("softmax"), precision="fp32"), stored(config("center"), precision="bf16")
    with pytest.raises(RunError, match="precision"):
        shown([*one, *other], losses=("softmax", "center"))


def test_balanced_batches_of_losses_on_pairs_are_no_other_condition():
    runs = stored(config("softmax"), config("triplet"), config("center"))
    assert selected(runs, losses=("triplet", "softmax")) == [("triplet", 0, 2), ("softmax", 0, 2)]
    assert len(selected(runs, "every")) == 3
    assert describe_differences(runs) == ["", "", ""]


def test_but_batches_of_another_size_are():
    runs = stored(config("softmax", batch_size=64), config("triplet", batch_size=128))
    with pytest.raises(RunError, match="same conditions"):
        shown(runs, losses=("softmax", "triplet"))
    assert all("batch size" in text for text in describe_differences(runs))


def test_of_two_complete_comparisons_the_newer_is_shown():
    runs = stored(*map(config, THREE), *(config(loss, feature_dim=3) for loss in THREE))
    assert selected(runs) == [(loss, 0, 3) for loss in THREE]
    assert selected(runs, feature_dim=(2,)) == [(loss, 0, 2) for loss in THREE]


def test_a_complete_comparison_goes_before_a_newer_single_run():
    runs = stored(*map(config, THREE), config("arcface", feature_dim=3))
    assert selected(runs) == [(loss, 0, 2) for loss in THREE]


@pytest.mark.parametrize("which", ["compared", "seeds", "all", "settings", "every"])
def test_a_loss_that_is_not_stored_is_an_error_with_the_command_that_trains_it(which):
    runs = stored(config("center"))
    with pytest.raises(RunError, match=r"no finished run of softmax, arcface") as error:
        shown(runs, which, losses=THREE, dataset=("digits",))
    assert "`lossbench compare --losses softmax,arcface --dataset digits`" in str(error.value)


@pytest.mark.parametrize("which", ["compared", "seeds", "all", "settings", "every"])
def test_a_misspelt_name_is_an_error_with_near_matches(which):
    runs = stored(config("softmax"), config("cosface"))
    with pytest.raises(UsageError, match="did you mean cosface"):
        shown(runs, which, losses=("softmax", "cosfcae"))
    with pytest.raises(UsageError, match="did you mean digits"):
        shown(runs, which, dataset=("digts",))


@pytest.mark.parametrize(
    ("option", "value", "present"),
    [
        ("seed", 7, "0,1"),
        ("epochs", 3, "27"),
        ("dataset", "mnist", "digits"),
        ("network", "lenet", "stride3"),
        ("lambda", 0.5, "0.003"),
        ("unseen", "7,8", "none"),
    ],
)
def test_a_value_that_is_not_stored_is_an_error_that_names_those_that_are(option, value, present):
    runs = stored(config("center"), config("center", 1))
    with pytest.raises(RunError, match=f"--{option} {value}") as error:
        shown(runs, losses=("center",), **{option: (value,)})
    assert f"there are runs with --{option} {present}" in str(error.value)
    assert "`lossbench train --loss center" in str(error.value)


@pytest.mark.parametrize(
    ("option", "texts", "others"),
    [
        ({"unseen": "8,9"}, ["8,9", "8-9", "9, 8", [9, 8]], ["7-9", "none", "cat"]),
        ({"unseen": ()}, ["none"], ["8"]),
        ({"unseen": "sneaker-boot", "dataset": "fashion-mnist"}, ["boot,bag,sneaker", [7, 8, 9]], ["7-9"]),
        ({"augment": "shift,rotate"}, ["shift,rotate", "rotate, shift"], ["shift", "rotate", "none"]),
        ({"lr_scale": "network=2,loss=5"}, ["loss=5,network=2", "network=2.0,loss=5"], ["loss=5", "loss=1"]),
        ({"lr_scale": ""}, ["loss=1", "network=1,loss=1"], ["loss=2"]),
        ({"schedule": "step", "milestones": "0.5,0.75"}, ["0.5,0.75", "0.50,.75", [0.5, 0.75]], ["0.5"]),
        ({"nesterov": False}, ["false", "False", False, "true,false"], ["true", True]),
        ({"init": "softmax-12345abcde@0123456789abcdef"}, ["softmax-12345abcde", "softmax-1", "12345"], ["none"]),
    ],
    ids=str,
)  # fmt: skip
def test_a_value_is_found_in_every_spelling_that_training_takes(option, texts, others):
    (name,) = {*option} - {"schedule", "dataset"}
    run = config("softmax", **option)
    for text in texts:
        assert make_filter(None, {name: text}).accepts(run), text
    for text in others:
        assert not make_filter(None, {name: text}).accepts(run), text


@pytest.mark.parametrize(
    ("loss", "sampler", "found"),
    [
        ("softmax", "shuffled", True),
        ("softmax", "balanced", False),
        ("triplet", "balanced", True),
        ("triplet", "shuffled", False),
        ("softmax + triplet", "balanced", True),
    ],
)
def test_auto_finds_the_runs_whose_batches_the_loss_chose(loss, sampler, found):
    run = config(loss, sampler=sampler)
    assert make_filter(None, {"sampler": "auto"}).accepts(run) == found
    assert make_filter(None, {"precision": "auto"}).accepts(run)
    own = Term(name="gone:Loss", weight=1.0, settings=())  # its code is not read to find a run
    assert make_filter(None, {"sampler": "auto"}).accepts(dataclasses.replace(run, terms=(own,)))


@pytest.mark.parametrize(
    ("name", "text"),
    [("augment", "blur"), ("lr_scale", "x=1"), ("milestones", "2"), ("nesterov", "maybe"), ("unseen", 8)],
)
def test_a_filter_refuses_what_training_refuses(name, text):
    with pytest.raises(UsageError, match=f"--{name.replace('_', '-')} "):
        make_filter(None, {name: text})


def test_a_spelling_that_is_found_is_shown():
    runs = stored(config("softmax"), config("softmax", unseen="8,9"))
    wanted = make_filter(None, {"unseen": "8-9"})
    assert [run.config.unseen for run in select(runs, wanted, "compared")] == [(8, 9)]
    with pytest.raises(RunError, match="no finished run with --unseen 7-9; there are runs with --unseen 8,9"):
        select(runs, make_filter(None, {"unseen": "7-9"}), "compared")
    with pytest.raises(RunError, match="`lossbench compare .* --no-nesterov`"):
        select(runs, make_filter(None, {"nesterov": "false"}), "compared")


def test_one_of_several_values_that_is_not_stored_is_named():
    runs = stored(config("softmax"), config("center"))
    sentence = "no finished run of center with --seed 1; there are runs with --seed 0"
    with pytest.raises(RunError, match=sentence):
        shown(runs, "every", losses=("center",), seed=(0, 1))


def test_a_value_that_only_another_loss_could_have_is_not_stored():
    runs = stored(config("softmax"), config("center", lam=0.1), config("arcface"))
    with pytest.raises(
        RunError, match=r"no finished run with --lambda 0.3; there are runs with --lambda 0.1"
    ):
        shown(runs, **{"lambda": (0.3,)})


def test_an_option_on_an_axis_may_have_the_name_of_its_flag():
    assert swept_names("label-noise, lambda") == ("label_noise", "lambda")
    assert swept_names("triplet-center.margin") == ("triplet-center.margin",)
    assert swept_names("lr,lr, label_noise,label-noise") == ("lr", "label_noise")
    assert swept_names(None) == ()


def test_values_that_one_figure_cannot_show_together_are_not_left_out():
    runs = stored(config("softmax", 0), config("softmax", 1))
    with pytest.raises(UsageError, match="--seed 0,1"):
        shown(runs, losses=("softmax",), seed=(0, 1))
    assert len(shown(runs, "seeds", losses=("softmax",), seed=(0, 1))) == 2
    both = stored(config("softmax"), config("softmax", dataset="mnist"))
    with pytest.raises(UsageError, match="--dataset"):
        shown(both, losses=("softmax",), dataset=("digits", "mnist"))


def test_every_seed_asked_for_is_there_for_every_loss():
    runs = stored(config("softmax", 0), config("softmax", 1), config("center", 0))
    with pytest.raises(RunError, match="center with seed 1"):
        shown(runs, "every", losses=("softmax", "center"), seed=(0, 1))


def test_seeds_are_all_those_of_the_newest_setting():
    runs = stored(config("center", 1), config("center", 0), config("center", 5, lam=0.1), config("center", 3))
    assert selected(runs, "seeds") == [("center", 0, 2), ("center", 1, 2), ("center", 3, 2)]


def test_a_sweep_is_shown_in_the_order_of_its_numbers():
    """0.00001 is written 1e-05, and comes before 0.001 all the same."""
    lams = (0.1, 0.00001, 0.001, 0.0)
    runs = stored(config("arcface"), *(config("center", seed, lam=lam) for lam in lams for seed in (1, 0)))
    found = [(run.config.value_of("lambda"), run.seed) for run in shown(runs, "all")]
    assert found == [(lam, seed) for lam in sorted(lams) for seed in (0, 1)]


def test_a_sweep_is_found_whatever_was_trained_later():
    """Eight runs of center on digits, then one of softmax on MNIST, and one of center at other epochs."""
    sweep = [config("center", lam=lam / 1000) for lam in range(8)]
    runs = stored(*sweep, config("softmax", dataset="mnist"), config("center", epochs=1))
    assert [run.config for run in shown(runs, "all", losses=("center",))] == sweep
    assert [run.config for run in shown(runs, "settings", losses=("center",))] == sweep


def test_without_a_loss_the_newest_sweep_is_shown_whatever_was_trained_later():
    lambdas = [config("center", lam=lam) for lam in (0.1, 0.2)]
    grid = [config("git", lam=lam, settings={"push": push}) for lam in (0.1, 0.2) for push in (0.5, 1.5)]
    margins = [config("arcface", settings={"margin": margin}) for margin in (0.1, 0.2)]
    runs = stored(*lambdas, *grid, *margins, config("softmax"))
    for which in ("all", "settings"):
        assert [run.config for run in shown(runs, which)] == margins
        assert {run.config for run in shown(runs, which, axes=2)} == set(grid)
        assert {run.config for run in shown(runs, which, over=("push",))} == set(grid)
        assert [run.config for run in shown(runs[:-2], which, over=("center.lambda",))] == lambdas
        assert {run.config for run in shown(runs, which, axes=3)} == set(grid)  # the most that there is
    alone = stored(config("center"), config("softmax"))
    assert [run.config.loss for run in shown(alone, "settings")] == ["softmax"]


def test_a_sweep_over_an_option_of_training_is_found():
    sweep = [config("center", lr=lr) for lr in (0.001, 0.01, 0.1)]
    runs = stored(*sweep, config("center", lr=0.01, epochs=1))
    assert [run.config for run in shown(runs, "all", losses=("center",))][:3] == sweep
    assert {run.config.epochs for run in shown(runs, "all", losses=("center",), over=("lr",))} == {27}


def test_the_sweep_over_several_values_asked_for_is_shown():
    """Also beside a larger one over another option; more names than axes are an error of the figure."""
    rates = [config("softmax", lr=lr) for lr in (0.02, 0.05)]
    others = [config("softmax", lr=0.05, momentum=0.5), config("softmax", lr=0.05, optimizer="sgd")]
    runs = stored(*rates, *others)
    assert [run.config for run in shown(runs, "all", losses=("softmax",), lr=(0.02, 0.05))] == rates
    assert shown(runs, "all", losses=("softmax",), over=("label_noise", "lr"))
    noisy = [config("softmax", lr=lr, label_noise=0.2) for lr in (0.02, 0.05)]
    both = shown([*runs, *stored(*noisy)], "all", over=("lr",), optimizer=("muon", "sgd"))
    assert {run.config.optimizer for run in both} == {"muon", "sgd"}


def test_two_axes_are_found_for_a_figure_of_two():
    sweep = [config("center", lr=lr, lam=lam) for lr in (0.001, 0.01) for lam in (0.1, 0.2)]
    runs = stored(*sweep, config("center", lr=0.01, lam=0.1, epochs=1))
    assert {run.config for run in shown(runs, "all", axes=2)} == set(sweep)


def test_small_multiples_show_one_seed():
    runs = stored(config("center", 1, lam=0.1), config("center", 0, lam=0.1), config("center", 0, lam=0.2))
    assert {run.seed for run in shown(runs, "settings")} == {0}


def test_the_shown_seed_is_that_of_most_groups_and_the_smaller_of_two_alike():
    def seeds(*groups):
        return [run.seed for run in one_seed(groups)]

    one, other, third = ([*stored(*(config(loss, seed) for seed in (2, 1, 0)))] for loss in THREE)
    assert seeds(one[:2], other[:2]) == [1, 1]
    assert seeds(one[:1], other[:2], third[1:]) == [2, 1, 1]  # 2 and 1 twice each; the first has no 1
    assert seeds(one[:1], [], other) == [2, 2]
    assert seeds(one, one) == [0]
    assert seeds() == []


def test_every_run_means_every_loss_under_the_commonest_conditions():
    runs = stored(*(config(loss, seed) for loss in THREE for seed in (0, 1)), config("triplet", epochs=1))
    assert selected(runs, "every") == [(loss, seed, 2) for loss in sorted(THREE) for seed in (0, 1)]


@pytest.mark.parametrize("which", ["compared", "seeds", "all", "settings", "every"])
def test_one_run_is_enough_for_anything(which):
    assert selected(stored(config("center")), which) == [("center", 0, 2)]


def test_a_loss_is_named_by_its_short_name_or_as_a_sum():
    run = config("center", lam=0.1)
    assert has_loss(run, "center")
    assert has_loss(run, "softmax + 0.1*center")
    assert has_loss(run, "softmax+center")
    assert not has_loss(run, "softmax + 0.2*center")
    assert not has_loss(run, "softmax")
    assert not has_loss(run, "softmax + git")
    assert not has_loss(config("softmax + triplet"), "triplet")


def test_what_is_missing_is_trained_under_the_conditions_of_the_other_losses():
    """Also where the loss is not stored at all, or only with another seed."""
    runs = stored(config("softmax", 3, epochs=1), config("center", epochs=1))
    for losses, values in ((("softmax", "git"), {}), (("softmax", "center"), {"seed": (3,)})):
        with pytest.raises(RunError) as error:
            shown(runs, losses=losses, **values)
        command = f"`lossbench train --loss {losses[1]} --dataset digits --epochs 1 --seed 3`"
        assert command in str(error.value)


def test_a_setting_that_no_loss_shown_has_is_an_error():
    runs = stored(config("softmax"), config("arcface"))
    with pytest.raises(UsageError, match="--margin: softmax has no such setting"):
        shown(runs, losses=("softmax",), margin=(0.3,))
    with pytest.raises(UsageError, match="--lambda: arcface, softmax has no such setting"):
        shown(runs, **{"lambda": (0.3,)})


def test_the_run_that_lacks_snapshots_is_one_that_would_be_shown():
    """Not the newest one of a loss, beside which the other loss has no run."""
    runs = stored(config("softmax"), config("center"), config("softmax", epochs=1))
    for run in runs:
        run.folder = SimpleNamespace(has_snapshots=False, config=run.config, name=run.config.loss)
        run.folder.path = Path("results/runs") / run.config.loss
    for losses in (("softmax", "center"), None):
        with pytest.raises(RunError, match="--loss softmax --dataset digits --snapshots 30"):
            select(runs, RunFilter(losses=losses, snapshots=True), "compared")


def test_a_setting_says_nothing_about_losses_without_it():
    runs = stored(config("softmax"), config("center", lam=0.1), config("center", lam=0.2))
    found = shown(runs, losses=("softmax", "center"), **{"lambda": (0.1,)})
    assert [run.config.subtitle for run in found] == ["", "λ = 0.1, α = 0.5"]


def test_that_a_run_started_from_no_other_is_said_too():
    runs = stored(config("softmax"), config("center", init="softmax-0123456789@0123456789abcdef"))
    assert describe_differences(runs)[0] == "init none"


def test_what_all_shown_have_and_others_do_not_is_said():
    runs = stored(config("center", lr=0.1), config("center", lr=0.2), config("center", epochs=1, lr=0.1))
    assert distinguishing_conditions(runs[:2], runs) == "epochs 27"
    assert distinguishing_conditions(runs[2:], runs) == "epochs 1 · lr 0.1"
    assert distinguishing_conditions(runs, runs) == ""
    pairs = stored(config("softmax"), config("triplet"), config("triplet", label_noise=0.2))
    assert distinguishing_conditions(pairs[:2], pairs) == "label noise 0"


def test_an_option_that_an_optimizer_does_not_have_is_not_said():
    runs = stored(config("softmax", optimizer="adamw", lr=0.1), config("center", lr=0.1))
    name_differences(runs)
    assert runs[0].conditions == "optimizer AdamW"
    assert runs[1].conditions == "optimizer Muon · momentum 0.9 · nesterov true"


def test_what_differs_is_said_in_words():
    runs = stored(config("softmax", 4), config("center", 5, epochs=1, unseen="7,8"))
    name_differences(runs)
    assert runs[0].conditions == "epochs 27 · unseen none"
    assert runs[1].conditions == "epochs 1 · unseen 7, 8"
    name_differences(runs[:1])
    assert runs[0].conditions == ""


def test_losses_of_one_title_are_shown_by_their_names(monkeypatch):
    """Such as classes of a user in two modules, or one that is called like a loss of this package."""
    monkeypatch.setattr(Term, "title", "Mine")
    configs = [config("softmax"), config("arcface"), config("arcface", 1)]
    runs = stored(*configs)
    name_differences(runs)
    assert [run.title for run in runs] == ["softmax", "arcface", "arcface"]
    rows = summarize([Outcome(each, Status.INTERRUPTED) for each in configs])
    assert [row.title for row in rows] == ["softmax", "arcface"]
    assert unique_labels(configs[:2]) == ["softmax", "arcface"]
    assert comparison_title(configs) == "Digits: softmax · arcface"
    name_differences(runs[1:])
    assert [run.title for run in runs[1:]] == ["Mine", "Mine"]


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("train_size", 200, "all"),
        ("image_size", 8, "as stored"),
        ("lr_scale", "loss=2", "1 for both"),
        ("unseen", (7,), "none"),
        ("init", "softmax-0123456789@0123456789abcdef", "none"),
    ],
)
def test_an_option_that_was_not_given_is_said_in_words(option, value, words):
    plain = config("softmax")
    runs = stored(plain, dataclasses.replace(plain, **{option: value}))
    assert describe_differences(runs)[0] == f"{option.replace('_', ' ')} {words}"
    assert UntrainedRun(plain).settings[option] == words
    rows = summarize([Outcome(each.config, Status.INTERRUPTED) for each in runs], [option])
    assert results_table(rows).rows[0][1] == f"{option.replace('_', ' ')} = {words}"


@pytest.mark.parametrize(
    ("options", "words"),
    [({"batch_size": 64}, "--batch-size 64 "), ({"sampler": "balanced"}, ""), ({"seed": 3}, "--seed 3 ")],
)
def test_the_suggested_command_has_the_conditions_of_the_runs_that_are_there(options, words):
    runs = stored(config("center", epochs=1), config("softmax", **options))
    with pytest.raises(RunError) as error:
        shown(runs, losses=("softmax", "center"))
    command = str(error.value).partition("`")[2].partition("`")[0]
    assert f"{command} " == f"lossbench train --loss center --dataset digits {words}"
