"""Snapshots: after which steps, that training does not change, and that they survive an interruption."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from lossbench.__main__ import main
from lossbench.data._splits import Splits
from lossbench.errors import Interrupted, RunError
from lossbench.records import LabelledImages
from lossbench.runs.store import Store
from lossbench.training.evaluation import Evaluator
from lossbench.training.process import Placement
from lossbench.training.snapshots import MAX_IMAGES, SnapshotRecorder, snapshot_steps
from lossbench.training.train import add_snapshots, train
from tests.helpers.runs import Recorder, small

COUNT = 6


@given(steps=st.integers(1, 5000), count=st.integers(2, 300))
@example(steps=1, count=2)
@example(steps=5, count=6)
@example(steps=5, count=7)
def test_steps_rise_from_the_first_to_the_last(steps, count):
    taken_after = snapshot_steps(steps, count)
    assert taken_after[0] == 0
    assert taken_after[-1] == steps
    assert all(a < b for a, b in zip(taken_after, taken_after[1:], strict=False))
    assert len(taken_after) == min(count, steps + 1)


@pytest.mark.parametrize("steps, count", [(1716, 20), (12, 6), (3000, 60)])
def test_steps_are_dense_early(steps, count):
    taken_after = np.array(snapshot_steps(steps, count))
    gaps = np.diff(taken_after)
    assert (np.diff(gaps) >= 0).all() or gaps[: count // 3].max() <= gaps[-1] / 2
    assert (taken_after <= steps / 4).mean() > 0.4


def test_few_snapshots():
    assert snapshot_steps(100, 0) == ()
    assert snapshot_steps(100, 1) == (100,)
    assert snapshot_steps(100, 2) == (0, 100)


def trained(config, folder, snapshots=COUNT, stop_after=None, **options):
    watching = Recorder(stop_after)
    placement = Placement("cpu", None, 1, snapshots=snapshots)
    try:
        train(config, Store(folder), placement=placement, observer=watching, stop=watching.stop, **options)
    except Interrupted:
        assert stop_after is not None
    return Store(folder).run(config)


LOSSES = ["center", "triplet"]  # with class scores, and classified by class means


@pytest.fixture(scope="module", params=LOSSES)
def whole(request, tmp_path_factory):
    return trained(small(request.param), tmp_path_factory.mktemp("whole"))


def test_snapshots_do_not_change_what_is_learned(whole, tmp_path):
    plain = trained(whole.config, tmp_path, snapshots=0)
    assert plain.snapshots() is None
    assert plain.read_bytes("model.safetensors") == whole.read_bytes("model.safetensors")
    for name in ("train", "val", "test"):
        ours, theirs = whole.features()[0][name], plain.features()[0][name]
        np.testing.assert_array_equal(ours.features, theirs.features)


def test_interrupted_and_resumed_is_uninterrupted(whole, tmp_path):
    first = trained(whole.config, tmp_path, stop_after=7)
    assert first.result() is None
    again = trained(whole.config, tmp_path, stop_after=11)
    assert again.result() is None
    resumed = trained(whole.config, tmp_path)
    ours, theirs = resumed.snapshots(), whole.snapshots()
    for name in ("epochs", "places", "labels", "features", "scores"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    assert ours.directions.keys() == theirs.directions.keys()
    for name in ours.directions:
        np.testing.assert_array_equal(ours.directions[name], theirs.directions[name])
    assert resumed.read_bytes("model.safetensors") == whole.read_bytes("model.safetensors")


def test_the_last_snapshot_has_the_stored_features_of_the_same_images(whole):
    snapshots, test = whole.snapshots(), whole.features()[0]["test"]
    assert len(snapshots.places) == min(MAX_IMAGES, len(test.labels))
    np.testing.assert_array_equal(snapshots.labels, test.labels[snapshots.places])
    np.testing.assert_allclose(snapshots.features[-1], test.features[snapshots.places], rtol=1e-4, atol=1e-4)
    assert not np.allclose(snapshots.features[0], snapshots.features[-1], atol=0.1)
    agree = snapshots.scores[-1].argmax(1) == test.predictions[snapshots.places]
    assert agree.mean() > 0.97  # triplet's class means come from fewer training images
    assert snapshots.epochs[0] == 0
    assert snapshots.epochs[-1] == 3
    assert len(snapshots.epochs) == len(snapshots.features) == COUNT


def test_directions_of_the_last_snapshot_are_those_stored(whole):
    directions, stored = whole.snapshots().directions, whole.features()[1]
    assert directions.keys() == stored.keys() & {"weight", "centers"}
    for name, arrays in directions.items():
        assert len(arrays) == COUNT
        np.testing.assert_allclose(arrays[-1], stored[name], rtol=1e-5, atol=1e-6)


def test_a_run_that_began_without_has_none(tmp_path):
    config = small("softmax")
    trained(config, tmp_path, snapshots=0, stop_after=5)
    run = trained(config, tmp_path)
    assert run.result().status == "done"
    assert run.snapshots() is None


def test_classes_kept_out_are_not_among_the_images(tmp_path):
    run = trained(small("softmax", unseen=(1, 2), epochs=1), tmp_path)
    assert set(run.snapshots().labels) == set(range(8))  # as training numbers them
    validated = trained(small("softmax", eval_split="val", epochs=1), tmp_path)
    assert len(validated.snapshots().labels) == validated.config.val_size


def contents(folder):
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.is_file() and path.name not in ("snapshots.npz", ".lock")
    }


def test_train_adds_snapshots_to_a_stored_run(tmp_path, capsys):
    options = ["--dataset", "digits", "--epochs", "1", "--device", "cpu", "--results", str(tmp_path)]
    assert main(["train", *options]) == 0
    (first,) = Store(tmp_path).all()[0]
    command = [
        "train",
        "--init",
        first.name,
        *options,
    ]  # the run that it starts from is not inside its folder
    assert main(command) == 0
    assert "snapshots" not in capsys.readouterr().err
    run = next(run for run in Store(tmp_path).all()[0] if run.config.init)
    before = contents(run.path)
    assert main([*command, "--snapshots", "3"]) == 0
    assert "without snapshots; it is trained again" in capsys.readouterr().err
    added = run.snapshots()
    assert contents(run.path) == before
    assert not list(run.path.glob("again-*"))
    assert main([*command, "--snapshots", "3"]) == 0
    assert "without snapshots" not in capsys.readouterr().err
    assert main([*command, "--snapshots", "3", "--force"]) == 0
    for one, other in zip(added[:-1], run.snapshots()[:-1], strict=True):
        np.testing.assert_array_equal(one, other)


def test_adding_snapshots_goes_on_after_an_interruption(tmp_path):
    run = trained(small("center"), tmp_path, snapshots=0)
    before = contents(run.path)
    placement = Placement("cpu", None, 1, snapshots=COUNT)
    watching = Recorder(5)
    with pytest.raises(Interrupted):
        add_snapshots(run, placement=placement, observer=watching, stop=watching.stop)
    assert contents(run.path) == before and not run.has_snapshots
    watching = Recorder()
    assert add_snapshots(run, placement=placement, observer=watching, stop=watching.stop) == run.result()
    assert contents(run.path) == before and len(run.snapshots().epochs) == COUNT
    assert watching.began_at == 5


def test_snapshots_are_added_with_as_many_threads_as_the_run_had(tmp_path):
    run = trained(small("softmax", epochs=1), tmp_path, snapshots=0)
    data = json.loads((run.path / "result.json").read_text())
    data["machine"]["threads"] = 2
    (run.path / "result.json").write_text(json.dumps(data))
    threads, watching = [], Recorder(1)
    watching.started = lambda *_: threads.append(torch.get_num_threads())
    with pytest.raises(Interrupted):
        add_snapshots(run, placement=Placement("cpu", snapshots=2), observer=watching, stop=watching.stop)
    assert threads == [2]


def test_snapshots_of_other_numbers_are_not_added(tmp_path):
    run = trained(small("softmax", epochs=1), tmp_path, snapshots=0)
    data = json.loads((run.path / "result.json").read_text()) | {"val_accuracy": 0.123}  # of another machine
    (run.path / "result.json").write_text(json.dumps(data))
    before = contents(run.path)
    watching = Recorder()
    with pytest.raises(RunError, match="other numbers"):
        add_snapshots(
            run,
            placement=Placement("cpu", None, 1, snapshots=2),
            observer=watching,
            stop=watching.stop,
        )
    assert contents(run.path) == before and not run.has_snapshots
    assert not list(run.path.glob("again-*"))


def test_snapshots_and_tensorboard_are_added_at_once(tmp_path, capsys):
    options = ["--dataset", "digits", "--epochs", "1", "--device", "cpu", "--results", str(tmp_path)]
    assert main(["train", *options]) == 0
    (run,) = Store(tmp_path).all()[0]
    before = contents(run.path)
    assert main(["train", *options, "--snapshots", "3", "--tensorboard"]) == 0
    assert contents(run.path) == before
    assert run.has_snapshots and list((run.path / "tensorboard").iterdir())


def test_compare_adds_snapshots_to_stored_runs(tmp_path, capsys):
    options = ["--dataset", "digits", "--epochs", "1", "--device", "cpu", "--results", str(tmp_path)]
    assert main(["train", "--loss", "center", *options]) == 0
    (run,) = Store(tmp_path).all()[0]
    before = contents(run.path)
    capsys.readouterr()
    assert main(["compare", "--losses", "softmax,center", "--jobs", "1", *options, "--snapshots", "3"]) == 0
    assert "1 of 2 runs are stored without snapshots, and trained again" in capsys.readouterr().err
    assert contents(run.path) == before
    assert [each.has_snapshots for each in Store(tmp_path).all()[0]] == [True, True]


@pytest.mark.parametrize(
    ("count", "images"), [(2, MAX_IMAGES), (20, MAX_IMAGES), (40, MAX_IMAGES // 2), (1000, 40)]
)
def test_more_snapshots_have_fewer_images(count, images):
    part = LabelledImages(torch.zeros(5000, 1, 8, 8), torch.zeros(5000))
    evaluator = Evaluator(None, None, Splits(part, part, part, part), small("softmax"), torch.float32)
    assert len(SnapshotRecorder(evaluator, 100, count).index) == images


def test_a_loss_with_dropout_gives_scores_in_evaluation_mode(tmp_path, monkeypatch):
    """They are the same each time, and snapshots do not use up random numbers of the training."""
    (tmp_path / "dropout_loss.py").write_text(
        "from torch.nn.functional import cross_entropy, dropout\n"
        "from lossbench.losses import Softmax\n\n\n"
        "class Dropout(Softmax):\n"
        "    def logits(self, features):\n"
        "        return super().logits(dropout(features, 0.5, self.training))\n\n"
        "    def compute(self, features, labels, reduction='mean'):\n"
        "        return cross_entropy(self.logits(features), labels, reduction=reduction)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    config = small("dropout_loss:Dropout", epochs=2)
    runs = [trained(config, tmp_path / str(count), snapshots=count) for count in (0, 5)]
    plain, recorded = (run.result() for run in runs)
    assert (plain.loss, plain.test_accuracy) == (recorded.loss, recorded.test_accuracy)
    splits, directions = runs[0].features()
    scores = splits["test"].features @ directions["weight"].T
    np.testing.assert_allclose(splits["test"].scores, scores, rtol=1e-3, atol=1e-3)
