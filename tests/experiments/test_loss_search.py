"""Searching over losses: the time, the answer, what continues, what is stored."""

from __future__ import annotations

import json
import shlex
import time
from types import SimpleNamespace

import optuna
import pytest

from lossbench.__main__ import main
from lossbench.errors import Diverged, Interrupted, RunError
from lossbench.experiments import loss_search
from lossbench.experiments.loss_search import LossOutcome, LossSearch, search_losses
from lossbench.experiments.search_space import SeveralLosses, StudyConfig, several_losses
from lossbench.experiments.trials import TrialWorker
from lossbench.experiments.tuning_result import read_result
from lossbench.records import EpochRecord
from lossbench.runs.result import RunResult, Status
from lossbench.runs.store import Store
from lossbench.specs import catalog
from lossbench.training import train as training

from ..helpers.runs import ONE_THREAD, Recorder
from ..helpers.studies import FIXED

LOSSES = ("softmax", "center", "arcface", "cosface")
SEEDS = (3, 4, 5)
LEVELS = {"softmax": 0.90, "center": 0.905, "arcface": 0.5, "cosface": 0.0}
"""Center is not distinguishable from softmax, arcface is worse; cosface diverges."""
NOISE = {("softmax", seed): (0.01, -0.01, 0.02)[seed % 3] for seed in range(9)}


@pytest.fixture
def trained(monkeypatch):
    """Replaces training by levels of accuracy; returns the configs that are trained."""
    trained = []

    def train(config, store, *, placement, observer, stop):
        trained.append(config)
        (store.runs / config.run_name).mkdir(parents=True, exist_ok=True)
        if config.loss == "cosface":
            raise Diverged("its loss became NaN")
        observer.started(config.run_name, config.epochs, 1, 0)
        value = LEVELS[config.loss] + NOISE.get((config.loss, config.seed), 0.0) - config.lr / 1000
        observer.finished_epoch(config.run_name, EpochRecord(1, config.lr, 1.0, {}, value, 1.0, 1.0))
        if stop():
            raise Interrupted("the run was interrupted")
        return RunResult(run=config.run_name, status=Status.DONE, val_accuracy=value)

    monkeypatch.setattr(training, "train", train)
    return trained


def several(losses=LOSSES, seeds=SEEDS, **fixed) -> SeveralLosses:
    return SeveralLosses(
        tuple(StudyConfig(loss, {**FIXED, **fixed}, seeds, "val_accuracy") for loss in losses)
    )


def search(folder, config, monkeypatch=None, trials=None, seconds=None, stop=None, observer=None, lines=None):
    """Search for a time, or with a clock that moves one second for each trial."""
    lines, observer = [] if lines is None else lines, observer or Recorder()
    if trials is not None:
        monkeypatch.setattr("lossbench.experiments.trials.time.monotonic", lambda: float(len(lines)))
    worker = TrialWorker(ONE_THREAD, observer, stop or observer.stop, lines.append, training.train)
    deadline = float(trials) if trials is not None else time.monotonic() + seconds
    return search_losses(config, Store(folder), worker, deadline=deadline)


def test_the_answer_marks_what_cannot_be_told_from_the_best(tmp_path, trained, monkeypatch):
    result = search(tmp_path, several(), monkeypatch, trials=12)
    found = {each.loss: each for each in result.outcomes}
    assert [each.loss for each in result.outcomes][:2] == ["softmax", "center"]
    assert found["softmax"].verdict == loss_search.BEST
    assert found["center"].verdict == loss_search.TIED
    assert found["arcface"].verdict in (loss_search.WORSE, loss_search.STOPPED)
    assert found["cosface"].verdict == loss_search.DIVERGED
    assert result.candidates == ["softmax", "center"]
    assert result.trials == sum(each.trials for each in result.outcomes) == 12
    difference = found["center"].difference
    assert difference.mean == pytest.approx(0.005 - 0.02 / 3, abs=1e-4)
    assert abs(difference.mean) < difference.half_width
    assert json.loads(json.dumps(result.to_dict()))["candidates"] == ["softmax", "center"]


@pytest.mark.parametrize(
    ("direction", "order"),
    [
        ("maximize", ["ring", "git", "range", "center", "arcface", "island", "lgm", "coco", "etf"]),
        ("minimize", ["ring", "center", "git", "range", "arcface", "lgm", "island", "coco", "etf"]),
    ],
)
def test_losses_stand_by_verdict_then_by_value_then_by_name(direction, order):
    found = {
        "ring": ("BEST", 0.9), "center": ("TIED", 0.6), "range": ("TIED", 0.8), "git": ("TIED", 0.8),
        "arcface": ("WORSE", 0.7), "lgm": ("STOPPED", 0.1), "island": ("STOPPED", 0.2),
        "etf": ("UNTRIED", None), "coco": ("DIVERGED", None),
    }  # fmt: skip

    def outcome_of(loss, _):
        verdict, value = found[loss]
        return LossOutcome(loss, getattr(loss_search, verdict), value, None, {}, 1, 1)

    config = SimpleNamespace(
        direction=direction, studies=list(found), default_run=None, name="", metric="", seeds=()
    )
    trial = SimpleNamespace(state=SimpleNamespace(name="COMPLETE"), value=0.5)
    study = SimpleNamespace(config=config, finished=lambda: [trial], _outcome_of=outcome_of)
    assert [each.loss for each in LossSearch.outcome(study).outcomes] == order


@pytest.mark.parametrize(
    ("best", "last", "images", "beyond"),
    [
        (0.9, 0.86, 100, False),  # 0.04 of a standard error of 0.0459
        (0.9, 0.85, 100, True),  # 0.05 of 0.0466
        (0.9, 0.86, 200, True),
        (0.9, 0.9, 100, False),
    ],
)
def test_a_trial_within_the_standard_error_of_the_best_goes_on(best, last, images, beyond):
    study = optuna.create_study()
    courses = [{1: best, 2: 0.99}, {1: last}, {1: float("nan")}]
    for course in courses:
        trial = study.ask()
        for step, value in course.items():
            trial.report(value, step)
    trial = study.get_trials()[1]
    for metric, expected in (("val_accuracy", beyond), ("map-at-r", True)):
        config = SimpleNamespace(metric=metric, default_run=SimpleNamespace(val_size=images))
        found = LossSearch.is_beyond_noise(SimpleNamespace(config=config), study, trial)
        assert found is expected


def test_the_best_third_goes_on_after_the_first_step_and_the_third():
    pruner = LossSearch.pruner(SimpleNamespace(is_beyond_noise=lambda *_: True))
    study = optuna.create_study(direction="maximize", pruner=pruner)
    stopped = []
    for value in (0.9, 0.8, 0.7, 0.6, 0.5, 0.85):  # the last is one of the best two of six
        trial = study.ask()
        trial.report(value, 1)
        stopped.append(trial.should_prune())
    assert stopped == [False, True, True, True, True, False]
    trial.report(0.1, 2)
    assert not trial.should_prune()
    first = study.ask()
    for step, value in ((1, 0.95), (3, 0.9)):
        first.report(value, step)
        assert not first.should_prune()
    trial.report(0.1, 3)
    assert trial.should_prune()


def test_every_loss_begins_at_its_defaults(tmp_path, trained, monkeypatch):
    search(tmp_path, several(), monkeypatch, trials=4)
    first = [config for config in trained if config.seed == SEEDS[0]]
    assert first == [each.default_run for each in several().studies]


def test_a_poor_loss_is_stopped_before_it_has_all_seeds(tmp_path, trained, monkeypatch):
    search(tmp_path, several(("softmax", "center", "arcface"), seeds=tuple(range(9))), monkeypatch, trials=9)
    runs = {loss: sum(config.loss == loss for config in trained) for loss in ("softmax", "arcface")}
    assert runs["arcface"] < runs["softmax"]


def test_the_same_call_goes_on(tmp_path, trained, monkeypatch):
    few = search(tmp_path, several(), monkeypatch, trials=4)
    more = search(tmp_path, several(), monkeypatch, trials=4)
    assert (few.trials, more.trials) == (4, 8)
    whole = search(tmp_path / "at once", several(), monkeypatch, trials=8)
    assert [each[:3] for each in whole.outcomes] == [each[:3] for each in more.outcomes]


def test_settings_are_stored_for_compare(tmp_path, trained, monkeypatch):
    config = several()
    search(tmp_path, config, monkeypatch, trials=8)
    stored = read_result(Store(tmp_path), config.studies[0].default_run, config.studies[0].loss)
    assert (stored.loss, stored.metric, stored.seeds) == ("softmax", "val_accuracy", list(SEEDS))
    assert set(stored.point) == {"lr"}
    assert not list(tmp_path.glob("tuned/**/cosface.json"))
    assert not list(tmp_path.glob("tuned/**/trial-*/runs"))


def test_settings_of_more_trials_stay(tmp_path, trained, monkeypatch):
    config = several(("softmax",))
    search(tmp_path, config, monkeypatch, trials=6)
    before = read_result(Store(tmp_path), config.studies[0].default_run, config.studies[0].loss)
    search(tmp_path, several(), monkeypatch, trials=4, lines=(lines := []))
    assert read_result(Store(tmp_path), config.studies[0].default_run, config.studies[0].loss) == before
    stays = "tuned/digits/stride3/softmax.json stays that of another search of softmax (by val accuracy · seeds 3-5 · "
    (said,) = (line for line in lines if not line.startswith("trial "))
    assert said.startswith(stays) and said.endswith(" · trials 6), which had more trials.")


def test_a_trial_that_the_time_interrupts_is_continued(tmp_path, monkeypatch):
    config = several(("softmax",), seeds=(3,))
    observer = Recorder()
    monkeypatch.setattr("lossbench.experiments.trials.time.monotonic", lambda: float(observer.steps))
    with pytest.raises(RunError, match="No trial finished; .* larger --budget continues"):
        search(tmp_path, config, seconds=2, observer=observer)
    assert observer.steps == 2
    assert list(tmp_path.glob("tuned/**/resume.pt"))
    monkeypatch.undo()
    result = search(tmp_path, config, seconds=3)
    assert result.outcomes[0].complete >= 1


def test_interrupted_it_says_how_to_go_on(tmp_path, trained):
    with pytest.raises(Interrupted, match="the same command continues it"):
        search(tmp_path, several(), seconds=60, stop=lambda: True)


def test_nothing_that_ends_is_a_sentence(tmp_path, trained, monkeypatch):
    with pytest.raises(RunError, match="No trial finished"):
        search(tmp_path, several(("cosface",)), monkeypatch, trials=2)


def call(capsys, *words):
    capsys.readouterr()
    code = main([str(word) for word in words])
    return code, *capsys.readouterr()


QUICK = ("--dataset", "digits", "--epochs", "1", "--batch-size", "100", "--device", "cpu")


def test_the_command_prints_the_answer_and_the_command_that_goes_on(tmp_path, capsys, trained):
    words = ["tune", "--losses", "softmax,center", "--budget", "1s", *QUICK, "--set", "center.alpha=0.4"]
    code, out, err = call(capsys, *words, "--seeds", "0,1", "--results", tmp_path)
    assert code == 0
    assert "best" in out
    command = err.strip().splitlines()[-1]
    assert command.startswith("lossbench compare --losses center,softmax --tuned --dataset digits --epochs 1")
    assert command.endswith(
        f"--set center.alpha=0.4 --seeds 2,3,4,5,6,7,8,9,10,11 --results {shlex.quote(str(tmp_path))}"
    )
    code, out, _ = call(capsys, *words, "--seeds", "0,1", "--results", tmp_path, "--json")
    document = json.loads(out)
    assert code == 0
    assert document["command"] == command
    assert {each["loss"]: each["verdict"] for each in document["losses"]}["center"] == "best"
    assert document["candidates"] == ["center", "softmax"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--losses", "softmax,center", "--budget", "soon"], "--budget soon: a time such as 90s, 10m or 2h"),
        (["--losses", "softmax,center", "--budget", "0s"], "--budget 0s"),
        (["--losses", "softmax", "--trials", "3"], "excludes --loss and --trials"),
        (["--losses", "softmax", "--loss", "center"], "excludes --loss and --trials"),
        (["--loss", "softmax", "--budget", "1m"], "--losses with --budget"),
        ([], "takes --loss with --trials"),
        (["--losses", "softmax,centre"], "did you mean center"),
        (["--losses", "softmax", "--alpha", "0.3"], "None of softmax has a setting 'alpha'"),
        (["--losses", "center,ring,softmax+center"], "the settings of both would be in "),
    ],
)
def test_wrong_usage_is_one_sentence(tmp_path, capsys, words, sentence):
    code, out, err = call(capsys, "tune", *words, *QUICK, "--results", tmp_path / "results")
    assert (code, out) == (2, "")
    assert sentence in err
    assert not (tmp_path / "results").exists()


def test_all_stands_for_every_loss_beside_others():
    found = several_losses(["softmax", "all", "softmax + center"], FIXED, (1,), "val_accuracy")
    assert {each.loss for each in found.studies} == {*catalog.names("losses"), "softmax + center"}
    assert len(found.studies) == len(catalog.names("losses")) + 1
