"""Tuning: first the loss as it comes, then the best of a space by the validation split, never by the test split."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys

import pytest

from lossbench.__main__ import main
from lossbench.errors import RunError, UsageError
from lossbench.experiments import search_space
from lossbench.experiments import study as study_module
from lossbench.experiments import trials as trials_module
from lossbench.experiments.tuning_result import TuningResult, read_result, read_results, write_result
from lossbench.records import EpochRecord
from lossbench.runs.store import Store
from lossbench.training import train as training

from ..data.test_datasets import FILES, write_data_set
from ..helpers.runs import ONE_THREAD, Recorder, run
from ..helpers.studies import check_ended, folder_of, open_study, replace_training, study_config, tune_in

LONG_SUM = "softmax + arcface + cosface + sphereface + normface + magface + adaface"
QUICK = [
    "--dataset",
    "digits",
    "--epochs",
    "1",
    "--batch-size",
    "100",
    "--device",
    "cpu",
    "--precision",
    "fp32",
]


def call(capsys, *arguments):
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return code, captured.out, captured.err


@pytest.fixture
def trained(monkeypatch):
    return replace_training(monkeypatch)


def test_the_objective_is_the_mean_over_seeds_on_validation_and_comes_back(tmp_path):
    config, lines = study_config("center", seeds=(3, 4)), []
    found = tune_in(tmp_path, config, 2, lines=lines)
    check_ended(tmp_path, 2, found)
    assert [line.split(":")[0] for line in lines] == ["trial 1 of 2", "trial 2 of 2"]
    results = [run(config.run_config(found["point"], seed), tmp_path / "again") for seed in (3, 4)]
    assert all(result.test_accuracy is None for result in results)
    assert sum(result.val_accuracy for result in results) / 2 == found["value"]
    assert set(found["space"]) == set(found["point"]) == {"lr", "lambda", "center.alpha"}


def test_the_first_trial_is_the_default_point(tmp_path, trained):
    config = study_config("center", seeds=(3, 4))

    class CheckedLines(list):
        def append(self, text):
            super().append(text)
            assert not list(tmp_path.glob("tuned/**/runs")), "a trial's runs go with it"

    lines = CheckedLines()
    found = tune_in(tmp_path, config, 3, lines=lines)
    assert len(lines) == 3
    assert trained[:2] == [config.default_run, config.run_config({}, 4)]
    assert len(set(trained)) == 6
    distance = abs(math.log10(config.default_run.lr / 0.01))
    assert found["default_value"] == found["values"][0] == pytest.approx(1 - distance / 10 - 0.035)


def test_optuna_says_nothing_of_a_usual_search(tmp_path, trained, caplog):
    """Trials are reported in our own words."""
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.INFO)  # as it is in a new process
    optuna.logging.enable_propagation()  # to `caplog`
    try:
        tune_in(tmp_path, study_config("center"), 1)
    finally:
        optuna.logging.disable_propagation()
    assert not caplog.records


def test_more_trials_go_on_and_fewer_show_the_same(tmp_path, trained):
    config = study_config("center")
    few = tune_in(tmp_path, config, 3)
    more = tune_in(tmp_path, config, 12)
    check_ended(tmp_path, 12, more)
    assert more["values"][:3] == few["values"]
    del trained[:]
    assert tune_in(tmp_path, config, 5) == more
    assert not trained
    assert tune_in(tmp_path / "at once", config, 12)["values"] == more["values"]


def test_a_result_without_its_journal_is_shown_and_not_searched_again(tmp_path, trained, monkeypatch):
    config = study_config("center", seeds=(3, 4))
    first = tune_in(tmp_path, config, 3)
    shutil.rmtree(folder_of(tmp_path, config))
    del trained[:]
    with monkeypatch.context() as patch:  # as in a folder that is only read
        patch.setattr("lossbench.experiments.tuning_result.write_atomically", pytest.fail)
        assert tune_in(tmp_path, config, 3) == tune_in(tmp_path, config, 2) == first
    assert not trained and not folder_of(tmp_path, config).exists()
    for other, trials in ((config, 4), (study_config("center", seeds=(3, 5)), 3)):
        assert tune_in(tmp_path, other, trials)["trials"] == trials
        assert len(trained) == trials * 2
        del trained[:]


def test_the_settings_of_another_search_are_kept_and_said(tmp_path, trained):
    """A short search does not lose what a long one found; its command puts that back."""
    long, short = study_config("center", alpha=0.3), study_config("center", seeds=(3,))
    first = tune_in(tmp_path, long, 5, lines=(lines := []))
    second = tune_in(tmp_path, short, 1, lines=lines)
    path, kept = (f"tuned/digits/stride3/center{end}.json" for end in ("", f"/{long.name}"))
    assert [json.loads((tmp_path / each).read_text()) for each in (path, kept)] == [second, first]
    assert lines[6:] == [
        f"{path} had the settings of another search of center (by val accuracy · seed 0 · epochs 1 · batch size "
        f"100 · precision fp32 · alpha 0.3 · trials 5); they are in {kept} now."
    ]
    shutil.rmtree(folder_of(tmp_path, long))
    del trained[:]
    assert tune_in(tmp_path, long, 5, lines=lines) == json.loads((tmp_path / path).read_text()) == first
    assert not trained
    assert f"/{short.name}.json now" in lines[-1]


def test_a_metric_of_which_less_is_better_is_minimised(tmp_path):
    found = tune_in(tmp_path, study_config(metric="spread-gap"), 2)
    check_ended(tmp_path, 2, found)
    assert found["value"] == min(found["values"]) < max(found["values"])


def test_a_metric_measured_only_when_asked_for_and_one_without_a_number(tmp_path, trained, monkeypatch):
    answers = iter([0.3, math.inf, math.nan, 0.2])
    monkeypatch.setattr(trials_module, "measure_stored", lambda run, names: {names[0]: next(answers)})
    found = tune_in(tmp_path, study_config(metric="map-at-r"), 4)
    assert found["values"] == [0.3, None, None, 0.2]
    assert (found["diverged"], found["value"]) == (2, 0.3)
    monkeypatch.setattr(trials_module, "measure_stored", lambda run, names: {names[0]: None})
    with pytest.raises(UsageError, match="nll is not defined for"):
        tune_in(tmp_path, study_config(metric="nll"), 1)


def test_what_is_fixed_is_not_searched_and_stands_in_the_point(tmp_path, trained):
    found = tune_in(tmp_path, study_config("arcface", margin=0.2), 4)
    assert {dict(config.terms[0].settings)["margin"] for config in trained} == {0.2}
    assert len({config.lr for config in trained}) == 4
    assert set(found["space"]) == {"lr", "arcface.scale"}
    assert found["point"]["margin"] == 0.2
    assert "epochs" not in found["point"]
    with pytest.raises(UsageError, match="nothing to search"):
        tune_in(tmp_path, study_config("softmax", lr=0.01), 2)


def test_the_test_files_are_never_opened(tmp_path, capsys):
    """With garbled test files, and with none, everything is the same to the last bit."""
    options = "--loss center --dataset fashion-mnist --epochs 1 --batch-size 20 --val-size 10 --device cpu"
    found = []
    for state in ("whole", "garbled", "gone"):
        raw = write_data_set(tmp_path / state, "FashionMNIST")
        for name in FILES["FashionMNIST"][2:]:
            if state == "garbled":
                (raw / name).write_bytes(b"no images")
            elif state == "gone":
                (raw / name).unlink()
        places = ("--data-dir", tmp_path / state, "--results", tmp_path / state / "results")
        code, out, _ = call(capsys, "tune", *options.split(), "--trials", "2", *places, "--json")
        assert code == 0
        found.append({k: v for k, v in json.loads(out).items() if k not in ("path", "figure")})
    assert found[0] == found[1] == found[2]


def test_pruned_and_diverged_trials_are_counted(tmp_path, trained, monkeypatch):
    monkeypatch.setattr(search_space, "LEARNING_RATES", (1e-5, 1e5))
    monkeypatch.setattr(study_module, "_STARTUP_TRIALS", 2)
    found = tune_in(tmp_path, study_config(), 20, lines=(lines := []))
    check_ended(tmp_path, 20, found)
    assert found["diverged"] == count_ending(lines, "diverged") > 0
    assert found["hopeless"] == count_ending(lines, "pruned") > 0
    assert found["values"].count(None) == found["diverged"] + found["hopeless"]
    for value, best in zip(found["values"], found["curve"], strict=True):
        assert value is None or value <= best


def count_ending(lines, word):
    return sum(line.endswith(word) for line in lines)


@pytest.mark.slow
def test_poor_and_diverged_trainings_are_pruned(tmp_path, monkeypatch):
    monkeypatch.setattr(search_space, "LEARNING_RATES", (1e-5, 1e11))
    monkeypatch.setattr(study_module, "_STARTUP_TRIALS", 2)
    found = tune_in(tmp_path, study_config(network="lenet", epochs=2), 8)
    check_ended(tmp_path, 8, found)
    assert min(found["diverged"], found["hopeless"]) > 0
    assert found["point"]["lr"] < 1


def test_a_trial_is_pruned_in_the_worst_quarter_only(tmp_path):
    study, pruned = open_study(tmp_path, study_config(seeds=(0, 1))), []
    for value in [*(number / 10 for number in range(8)), 0.1, 0.5]:
        trial, lock = study.begin_trial()
        worker = trials_module.TrialWorker(ONE_THREAD, Recorder(), lambda: False, print, training.train)
        pruner = trials_module._Pruner(worker, trial, by_epoch=True)
        pruner.finished_epoch("run", EpochRecord(1, 0.1, 1.0, {}, value, 1.0, 1.0))
        pruned.append(pruner.stop())
        study.optuna.tell(trial, value)
        lock.release()
    assert pruned == [*[False] * 8, True, False]


def test_a_poor_first_seed_spares_the_others(tmp_path, trained, monkeypatch):
    monkeypatch.setattr(study_module, "_STARTUP_TRIALS", 1)
    monkeypatch.setattr(trials_module, "measure_stored", lambda run, names: {names[0]: run.config.lr})
    found = tune_in(tmp_path, study_config(metric="nll", seeds=(0, 1, 2), optimizer="adamw"), 8)
    assert found["hopeless"] > 0
    assert len(trained) == 8 * 3 - 2 * found["hopeless"]


def test_a_search_in_which_everything_diverges_says_so(tmp_path):
    err = []
    with pytest.raises(RunError, match="No trial of center came to an end: 2 trials diverged"):
        tune_in(tmp_path, study_config("center", network="lenet", lr=1e9), 2, lines=err)
    assert err == ["trial 1 of 2: diverged", "trial 2 of 2: diverged"]
    assert not list(tmp_path.glob("tuned/*/*/*.json"))


def test_features_that_are_not_finite_count_as_diverged_and_our_own_faults_do_not(tmp_path, monkeypatch):
    faults = iter([ValueError("features are not finite"), ValueError("a fault of ours")])

    def train(*_, **__):
        raise next(faults)

    monkeypatch.setattr(training, "train", train)
    err = []
    with pytest.raises(ValueError, match="a fault of ours"):
        tune_in(tmp_path, study_config(), 2, lines=err)
    assert err == ["trial 1 of 2: diverged"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--metric", "test_accuracy"], "never looks at the test split"),
        (["--metric", "val_accuracy,gap"], "tuning takes one metric"),
        (["--metric", "spred-gap"], "did you mean spread-gap"),
        (["--metric", "unseen-map-at-r"], "needs classes kept out"),
        (["--seeds", ""], "--seeds"),
        (["--seeds", "4-2"], "--seeds 4-2"),
        (["--lr", "0.01"], "nothing to search"),
        (["--set", "bias=true,false"], "bias takes one value here"),
        (["--val-size", "0"], "--val-size 0 leaves no images to evaluate on"),
        (["--loss", "softmix"], "did you mean softmax"),
        (["--trials", "0"], "--trials"),
    ],
)
def test_wrong_usage_is_one_sentence_and_leaves_nothing(tmp_path, capsys, arguments, sentence):
    loss = [] if "--loss" in arguments else ["--loss", "softmax"]
    code, out, err = call(capsys, "tune", *loss, *QUICK, *arguments, "--results", tmp_path / "results")
    assert (code, out) == (2, "")
    assert sentence in err
    assert not (tmp_path / "results").exists()


def test_without_optuna_the_sentence_says_what_to_install(tmp_path):
    script = "import sys; sys.modules['optuna'] = None; from lossbench.__main__ import main; sys.exit(main())"
    command = [
        sys.executable,
        "-c",
        script,
        "tune",
        "--loss",
        "softmax",
        *QUICK,
        "--results",
        tmp_path / "results",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "lossbench: Tuning needs Optuna: pip install 'lossbench[tune]'.\n"
    assert not (tmp_path / "results").exists()


def test_compare_uses_what_was_found(tmp_path, capsys, trained):
    for loss, trials, more in (("softmax", 2, []), ("arcface", 3, ["--margin", "0.2"])):
        found = call(capsys, "tune", "--loss", loss, "--trials", trials, *more, *QUICK, "--results", tmp_path)
        assert found[0] == 0
        assert "at the defaults" in found[1]
    command = ["compare", "--losses", "softmax,arcface", "--tuned", *QUICK, "--results", tmp_path, "--json"]
    code, out, err = call(capsys, *command)
    assert code == 0, (out, err)
    assert "not under equal conditions" in err
    assert json.loads(out)["conditions"].endswith(err.partition("warning: ")[2].splitlines()[0])
    for result in json.loads(out)["runs"]:
        config = Store(tmp_path).find(result["run"]).config
        found = json.loads((tmp_path / f"tuned/digits/stride3/{config.loss}.json").read_text())
        assert config.eval_split == "test"
        assert {name: config.value_of(name) for name in found["point"]} == found["point"]
    path = tmp_path / "tuned/digits/stride3/arcface.json"
    text = path.read_text()
    for changed in (text[:50], text.replace('"lr"', '"lrr"'), "[]", '"\\ud800"'):
        path.write_text(changed)
        code, _, err = call(capsys, *command)
        assert code == 1
        assert err.count("\n") == 1
        assert str(path) in err
    code, _, err = call(capsys, "tune", "--loss", "softmax", "--trials", 2, *QUICK, "--results", tmp_path)
    assert code == 0
    assert f"warning: {path}" in err
    path.unlink()
    code, _, err = call(capsys, *command)
    assert code == 2
    wanted = (
        f"`lossbench tune --loss arcface --dataset digits --network stride3 --results {tmp_path}` makes it"
    )
    assert wanted in err


def test_a_search_of_a_loss_that_is_not_here_says_so(tmp_path, trained, monkeypatch):
    """Reading results runs no code of the user: the file of a loss may be gone when others are shown."""
    tune_in(tmp_path, study_config("arcface"), 1)
    path = tmp_path / "tuned/digits/stride3/arcface.json"
    text = path.read_text()
    for name, problems in (
        ("gone_module:Loss", []),
        ("gone-loss", ["Unknown loss 'gone-loss'; install the"]),
    ):
        path.write_text(text.replace('"arcface"', f'"{name}"').replace("arcface.", f"{name}."))
        found = read_results(Store(tmp_path), "digits", "stride3")
        assert [each.loss for each in found[0]] == ([] if problems else [name])
        assert len(found[1]) == len(problems)
        assert all(f"{path} cannot be read. {problem}" in found[1][0] for problem in problems)


def test_a_search_of_other_weights_is_not_used(tmp_path, trained):
    tune_in(tmp_path, study_config("softmax + focal"), 1)
    other = study_config("softmax + focal", **{"lambda": 0.2}).default_run
    with pytest.raises(UsageError, match=r"is a search of softmax \+ focal, whose weights are others"):
        read_result(Store(tmp_path), other, "softmax + focal")


def test_searches_of_the_same_losses_with_other_weights_have_files_of_their_own(tmp_path, trained):
    for number, loss in enumerate(("softmax + 0.01*center", "0.1*center", "center"), start=1):
        tune_in(tmp_path, study_config(loss), number)
    for spelling, trials in (("0.01*center", 1), ("1*softmax + 0.10*center", 2), ("softmax + center", 3)):
        run = study_config(spelling, epochs=7).default_run
        assert read_result(Store(tmp_path), run, spelling).trials == trials


def test_a_search_of_another_loss_of_the_same_file_is_not_used(tmp_path):
    """The name of a file is cut: it holds sixty characters of the loss."""
    first, other = (study_config(f"{LONG_SUM} + {loss}") for loss in ("poly-1", "focal"))
    point = first.default_point()
    found = TuningResult(
        **{"loss": first.loss, "study": first.name, "point": point, "value": 0.5, "default_value": None},
        **{"metric": "val_accuracy", "seeds": (0,), "trials": 1, "diverged": 0, "pruned": 0},
        **{"space": first.space(), "values": [0.5], "curve": [0.5], "config": first.default_run},
    )
    write_result(Store(tmp_path), found)
    assert read_result(Store(tmp_path), first.default_run, first.loss).point == point
    with pytest.raises(UsageError, match=r"is a search of .*poly-1, not of .*focal"):
        read_result(Store(tmp_path), other.default_run, other.loss)
