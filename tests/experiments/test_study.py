"""Tuning: first the loss as it comes, then the best of a space by the validation split, never by the test split."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest

from lossbench.__main__ import main
from lossbench.errors import RunError, UsageError
from lossbench.experiments import search_space as searching
from lossbench.experiments import study as tuning
from lossbench.records import EpochRecord
from lossbench.runs.store import Store

from ..data.test_datasets import FILES, write_data_set
from ..helpers.runs import Recorder, run
from ..helpers.studies import check_ended, home_of, made, pretend, search_in, study_of

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
def pretended(monkeypatch):
    return pretend(monkeypatch)


def test_the_objective_is_the_mean_over_seeds_on_validation_and_comes_back(tmp_path):
    search, said = made("center", seeds=(3, 4)), []
    found = search_in(tmp_path, search, 2, said=said)
    check_ended(tmp_path, 2, found)
    assert [line.split(":")[0] for line in said] == ["trial 1 of 2", "trial 2 of 2"]
    results = [run(search.config(found["point"], seed), tmp_path / "again") for seed in (3, 4)]
    assert all(result.test_accuracy is None for result in results)
    assert sum(result.val_accuracy for result in results) / 2 == found["value"]
    assert set(found["space"]) == set(found["point"]) == {"lr", "lambda", "center.alpha"}


def test_the_first_trial_is_the_loss_as_it_comes(tmp_path, pretended):
    search = made("center", seeds=(3, 4))

    class Said(list):
        def append(self, text):
            super().append(text)
            assert not list(tmp_path.glob("tuned/**/runs")), "a trial's runs go with it"

    said = Said()
    found = search_in(tmp_path, search, 3, said=said)
    assert len(said) == 3
    assert pretended[:2] == [search.base, search.config({}, 4)]
    assert len(set(pretended)) == 6
    assert (
        found["default_value"] == found["values"][0] == pytest.approx(1 - abs(math.log10(0.8)) / 10 - 0.035)
    )


def test_more_trials_go_on_and_fewer_show_the_same(tmp_path, pretended):
    search = made("center")
    few = search_in(tmp_path, search, 3)
    more = search_in(tmp_path, search, 12)
    check_ended(tmp_path, 12, more)
    assert more["values"][:3] == few["values"]
    del pretended[:]
    assert search_in(tmp_path, search, 5) == more
    assert not pretended
    assert search_in(tmp_path / "at once", search, 12)["values"] == more["values"]


def test_a_metric_of_which_less_is_better_is_minimised(tmp_path):
    found = search_in(tmp_path, made(metric="spread-gap"), 2)
    check_ended(tmp_path, 2, found)
    assert found["value"] == min(found["values"]) < max(found["values"])


def test_a_metric_measured_only_when_asked_for_and_one_without_a_number(tmp_path, pretended, monkeypatch):
    answers = iter([0.3, math.inf, math.nan, 0.2])
    monkeypatch.setattr(tuning, "measure_stored", lambda run, names: {names[0]: next(answers)})
    found = search_in(tmp_path, made(metric="map-at-r"), 4)
    assert found["values"] == [0.3, None, None, 0.2]
    assert (found["diverged"], found["value"]) == (2, 0.3)
    monkeypatch.setattr(tuning, "measure_stored", lambda run, names: {names[0]: None})
    with pytest.raises(UsageError, match="nll is not defined for"):
        search_in(tmp_path, made(metric="nll"), 1)


def test_what_is_fixed_is_not_searched_and_stands_in_the_point(tmp_path, pretended):
    found = search_in(tmp_path, made("arcface", margin=0.2), 4)
    assert {dict(config.terms[0].settings)["margin"] for config in pretended} == {0.2}
    assert len({config.lr for config in pretended}) == 4
    assert set(found["space"]) == {"lr", "arcface.scale"}
    assert found["point"]["margin"] == 0.2
    assert "epochs" not in found["point"]
    with pytest.raises(UsageError, match="nothing to search"):
        search_in(tmp_path, made("softmax", lr=0.01), 2)


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


def test_hopeless_and_diverged_trials_are_given_up_and_counted(tmp_path, pretended, monkeypatch):
    monkeypatch.setattr(searching, "LEARNING_RATES", "1e-7:1e3:log:2")
    monkeypatch.setattr(tuning, "_STARTUP", 2)
    found, said = search_in(tmp_path, made(), 20, said=(said := [])), said
    check_ended(tmp_path, 20, found)
    assert found["diverged"] == said_times(said, "diverged") > 0
    assert found["hopeless"] == said_times(said, "hopeless") > 0
    assert found["values"].count(None) == found["diverged"] + found["hopeless"]
    for value, best in zip(found["values"], found["curve"], strict=True):
        assert value is None or value <= best


def said_times(said, word):
    return sum(line.endswith(word) for line in said)


@pytest.mark.slow
def test_hopeless_and_diverged_trainings_are_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(searching, "LEARNING_RATES", "1e-7:1e9:log:2")
    monkeypatch.setattr(tuning, "_STARTUP", 2)
    found = search_in(tmp_path, made(network="lenet", epochs=2), 8)
    check_ended(tmp_path, 8, found)
    assert min(found["diverged"], found["hopeless"]) > 0
    assert found["point"]["lr"] < 1


def test_a_watched_trial_is_hopeless_in_the_worst_quarter_only(tmp_path):
    search, hopeless = made(seeds=(0, 1)), []
    study = study_of(tmp_path, search)
    for value in [*(number / 10 for number in range(8)), 0.1, 0.5]:
        trial, own = tuning._begin(study, search, home_of(tmp_path, search))
        watch = tuning._Watch(Recorder(), trial, lambda: False, by_epoch=True)
        watch.finished_epoch("run", EpochRecord(1, 0.1, 1.0, {}, value, 1.0, 1.0))
        hopeless.append(watch.stop())
        study.tell(trial, value)
        own.release()
    assert hopeless == [*[False] * 8, True, False]


def test_a_poor_first_seed_spares_the_others(tmp_path, pretended, monkeypatch):
    monkeypatch.setattr(tuning, "_STARTUP", 1)
    monkeypatch.setattr(tuning, "measure_stored", lambda run, names: {names[0]: run.config.lr})
    found = search_in(tmp_path, made(metric="nll", seeds=(0, 1, 2)), 8)
    assert found["hopeless"] > 0
    assert len(pretended) == 8 * 3 - 2 * found["hopeless"]


def test_a_search_in_which_everything_diverges_says_so(tmp_path):
    said = []
    with pytest.raises(RunError, match="None of 2 trials of center came to an end: they all diverged"):
        search_in(tmp_path, made("center", network="lenet", lr=1e9), 2, said=said)
    assert said == ["trial 1 of 2: diverged", "trial 2 of 2: diverged"]
    assert not list(tmp_path.glob("tuned/*/*/*.json"))


def test_features_that_are_not_finite_count_as_diverged_and_our_own_faults_do_not(tmp_path, monkeypatch):
    faults = iter([ValueError("features are not finite"), ValueError("a fault of ours")])

    def train(*_, **__):
        raise next(faults)

    monkeypatch.setattr(tuning, "train", train)
    said = []
    with pytest.raises(ValueError, match="a fault of ours"):
        search_in(tmp_path, made(), 2, said=said)
    assert said == ["trial 1 of 2: diverged"]


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
        (["--val-size", "0"], "--val-size 0 leaves nothing to judge by"),
        (["--loss", "softmix"], "did you mean softmax"),
        (["--trials", "0"], "--trials"),
    ],
)
def test_wrong_usage_is_one_sentence_and_leaves_nothing(tmp_path, capsys, arguments, sentence):
    loss = [] if "--loss" in arguments else ["--loss", "softmax"]
    code, out, said = call(capsys, "tune", *loss, *QUICK, *arguments, "--results", tmp_path / "results")
    assert (code, out) == (2, "")
    assert sentence in said
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


def test_compare_uses_what_was_found(tmp_path, capsys, pretended):
    for loss, trials, more in (("softmax", 2, []), ("arcface", 3, ["--margin", "0.2"])):
        found = call(capsys, "tune", "--loss", loss, "--trials", trials, *more, *QUICK, "--results", tmp_path)
        assert found[0] == 0
        assert "at the defaults" in found[1]
    command = ["compare", "--losses", "softmax,arcface", "--tuned", *QUICK, "--results", tmp_path, "--json"]
    code, out, said = call(capsys, *command)
    assert code == 0
    assert "unequal budgets: 2, 3 trials" in said
    for result in json.loads(out)["runs"]:
        config = Store(tmp_path).find(result["run"]).config
        found = json.loads((tmp_path / f"tuned/digits/compact/{config.loss}.json").read_text())
        assert config.eval_split == "test"
        assert {name: config.value_of(name) for name in found["point"]} == found["point"]
    path = tmp_path / "tuned/digits/compact/arcface.json"
    text = path.read_text()
    for changed in (text[:50], text.replace('"lr"', '"lrr"'), "[]", '"\\ud800"'):
        path.write_text(changed)
        code, _, said = call(capsys, *command)
        assert code == 1
        assert said.count("\n") == 1
        assert str(path) in said
    code, _, said = call(capsys, "tune", "--loss", "softmax", "--trials", 2, *QUICK, "--results", tmp_path)
    assert code == 0
    assert f"warning: {path}" in said
    path.unlink()
    code, _, said = call(capsys, *command)
    assert code == 2
    assert "`lossbench tune --loss arcface --dataset digits --network compact` makes it" in said


def test_a_search_of_other_weights_is_not_used(tmp_path, pretended):
    search_in(tmp_path, made("softmax + 0.01*center"), 2)
    with pytest.raises(UsageError, match=r"is a search of softmax \+ 0\.01\*center"):
        tuning.load_tuned(Store(tmp_path), made("center").base)
    assert tuning.load_tuned(Store(tmp_path), made("softmax + 0.01*center").base)["trials"] == 2
    search_in(tmp_path, made("center"), 2)
    assert "lambda" in tuning.load_tuned(Store(tmp_path), made("center", epochs=7).base)["point"]
