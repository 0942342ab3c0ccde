"""Training: reproducible, resumable bit for bit, paired between losses, and stored when it diverges."""

from __future__ import annotations

import dataclasses
import platform
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.spatial.distance import pdist

from lossbench.data import load_splits, under_conditions
from lossbench.errors import Diverged, Interrupted, RunError
from lossbench.records import SplitSpec
from lossbench.runs.config_builder import make_config
from lossbench.runs.model import build, load_model
from lossbench.runs.store import Store
from lossbench.runs.stored_run import StoredRun
from lossbench.specs import catalog
from lossbench.training import train as train_module
from lossbench.training import trainer as trainer_module
from lossbench.training.checkpoint import load_state, state_bytes
from lossbench.training.evaluation import Evaluator
from lossbench.training.process import Placement
from lossbench.training.trainer import Trainer

from ..helpers.runs import Recorder, run, small


def weights(folder, config):
    return load_file(Store(folder).run(config).path / "model.safetensors")


def assert_same_run(config, left, right):
    first, second = weights(left, config), weights(right, config)
    assert first.keys() == second.keys()
    for key in first:
        assert torch.equal(first[key], second[key]), key
    names = ("test_accuracy", "val_accuracy", "metrics", "loss", "terms")
    one, other = (Store(folder).run(config).result() for folder in (left, right))
    assert [getattr(one, name) for name in names] == [getattr(other, name) for name in names]


def test_same_config_gives_the_same_bits(tmp_path):
    config = small()
    run(config, tmp_path / "a")
    run(config, tmp_path / "b")
    assert_same_run(config, tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize("loss", ["softmax", "center", "arcface", "ldam"])
def test_interrupted_and_continued_equals_uninterrupted(tmp_path, loss):
    """Stopped in the middle of an epoch, right at its end, and again: the bits do not change."""
    config = small(loss)
    run(config, tmp_path / "whole")
    for stop_after in (5, 1, 12):
        with pytest.raises(Interrupted):
            run(config, tmp_path / "parts", Recorder(stop_after))
        assert Store(tmp_path / "parts").run(config).result() is None
    last = Recorder()
    run(config, tmp_path / "parts", last)
    assert last.began_at == 18
    assert_same_run(config, tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_lambda_zero_is_softmax_bit_for_bit(tmp_path, precision):
    plain = small("softmax", precision=precision)
    joined = small("center", lam=0.0, precision=precision)
    run(plain, tmp_path)
    run(joined, tmp_path)
    alone, with_center = weights(tmp_path, plain), weights(tmp_path, joined)
    for key, tensor in alone.items():
        assert torch.equal(tensor, with_center[key]), key
    initial = build(joined)[1].directions("centers")
    assert not torch.equal(with_center["loss.losses.1.centers"], initial), "centers move also at lambda 0"


def test_every_loss_starts_from_the_same_network_and_sees_the_same_batches(tmp_path, monkeypatch):
    seen = {}

    class Spy(Trainer):
        def step(self):
            seen.setdefault(self.run.name, []).append(self.batch_indices.clone())
            if len(seen[self.run.name]) == 1:
                seen[self.run.name + "/start"] = self.network.feature.weight.detach().clone()
            super().step()

    monkeypatch.setattr(train_module, "Trainer", Spy)
    configs = [small(loss, epochs=2) for loss in ("softmax", "center", "arcface")]
    for config in configs:
        run(config, tmp_path)
    first = configs[0].run_name
    for config in configs[1:]:
        assert torch.equal(seen[first + "/start"], seen[config.run_name + "/start"])
        assert all(map(torch.equal, seen[first], seen[config.run_name]))
    other = small("softmax", epochs=2, seed=1)
    run(other, tmp_path)
    assert not torch.equal(seen[first + "/start"], seen[other.run_name + "/start"])
    assert not torch.equal(seen[first][0], seen[other.run_name][0])


def test_optimizer_and_schedule_are_those_of_the_config(tmp_path, monkeypatch):
    load = catalog.load

    class Double(load("optimizers", "adamw")):
        def set_rate(self, rate):
            super().set_rate(2 * rate)

    new = {"adamw": Double, "linear": lambda progress, *, warmup: warmup if progress < 0.5 else warmup / 2}
    monkeypatch.setattr(catalog, "load", lambda kind, name: new.get(name) or load(kind, name))
    config, observer = small(epochs=2, optimizer="adamw", schedule="linear", warmup=0.5), Recorder()
    run(config, tmp_path, observer)
    assert [record.learning_rate for record in observer.records] == [config.lr, config.lr / 2]


def test_images_change_from_epoch_to_epoch_and_are_those_of_the_data_set_at_the_end(tmp_path, monkeypatch):
    seen, step = [], Trainer.step

    def watched(trainer):
        if trainer.batch == 0:
            seen.append((trainer.images.clone(), trainer.splits.train.images))
        step(trainer)

    monkeypatch.setattr(Trainer, "step", watched)
    run(small(epochs=4), tmp_path)
    images, originals = zip(*seen, strict=True)
    assert torch.equal(images[3], originals[3])
    assert not any(torch.equal(images[epoch], originals[epoch]) for epoch in range(3))
    assert not torch.equal(images[0], images[1])


def test_the_time_of_training_includes_changing_the_images(tmp_path, monkeypatch):
    augment = trainer_module.augment

    def slow(*arguments, **options):
        time.sleep(0.5)
        return augment(*arguments, **options)

    monkeypatch.setattr(trainer_module, "augment", slow)
    result = run(small(epochs=1), tmp_path)
    assert result.seconds > 0.5
    assert result.images_per_second < 12 * 100 / 0.5


def test_a_finished_run_is_shown_and_not_trained_again(tmp_path):
    config = small()
    first = run(config, tmp_path)
    again = Recorder()
    assert run(config, tmp_path, again) == Store(tmp_path).run(config).result()
    assert again.steps == 0
    assert first.run == config.run_name
    forced = Recorder()
    run(config, tmp_path, forced, force=True)
    assert forced.steps == 36


def test_files_of_a_finished_run(tmp_path):
    config = small("center")
    result = run(config, tmp_path)
    folder = Store(tmp_path).run(config)
    names = {path.name for path in folder.path.iterdir()} - {".lock"}
    assert names == {
        "config.json",
        "epochs.csv",
        "result.json",
        "model.safetensors",
        "features.npz",
        "log.txt",
    }
    with np.load(folder.path / "features.npz") as arrays:
        assert {
            "train_features",
            "train_labels",
            "val_features",
            "test_features",
            "weight",
            "centers",
        } <= set(arrays)
        assert arrays["test_features"].dtype == np.float32
        predicted = (arrays["test_features"] @ arrays["weight"].T).argmax(1)
        assert (predicted == arrays["test_labels"]).mean() == pytest.approx(result.test_accuracy, abs=1e-9)
    lines = (folder.path / "epochs.csv").read_text().splitlines()
    assert (
        lines[0]
        == "epoch,learning_rate,loss,softmax,center,val_accuracy,seconds,images_per_second,spread,gap"
    )
    assert len(lines) == 1 + config.epochs


def test_numbers_of_an_epoch_are_those_of_its_steps(tmp_path):
    """A rate next to 0 leaves the weights as they are, so each epoch has the loss of the whole split."""
    config, observer = (
        small("center", lam=0.5, lr=1e-12, epochs=2, augment="none", network="linear"),
        Recorder(),
    )
    result = run(config, tmp_path, observer)
    folder = Store(tmp_path).run(config)
    network, loss = load_model(folder)
    train_split = folder.features()[0]["train"]
    scores = train_split.features @ loss.directions("weight").numpy().T
    softmax = np.mean(np.logaddexp.reduce(scores, 1) - scores[np.arange(len(scores)), train_split.labels])
    val = folder.features()[0]["val"]
    by_class = [val.features[val.labels == label] for label in range(10)]
    means = np.stack([features.mean(0) for features in by_class])
    spreads = [np.linalg.norm(f - mean, axis=1).mean() for f, mean in zip(by_class, means, strict=True)]
    last = observer.records[-1]  # batch norm still moves in the first epoch
    assert (last.spread, last.gap) == pytest.approx((np.mean(spreads), pdist(means).min()), rel=1e-3)
    for record in observer.records:
        assert record.terms["softmax"] == pytest.approx(softmax, rel=0.02)  # 33 images are left out
        assert record.loss == pytest.approx(record.terms["softmax"] + 0.5 * record.terms["center"], rel=1e-5)
        assert record.images_per_second * record.seconds == pytest.approx(12 * 100)
    assert result.loss == observer.records[-1].loss
    assert result.images_per_second * sum(each.seconds for each in observer.records) == pytest.approx(2400)
    assert result.parameters == sum(p.numel() for p in network.parameters())
    assert (result.precision, result.rule, result.epochs) == ("float32", "class scores", 2)
    assert (result.machine.device, result.machine.threads) == ("cpu", 1)
    assert result.machine[3:] == (torch.__version__, platform.python_version(), platform.system())
    assert result.seconds > sum(each.seconds for each in observer.records)


def test_without_validation_images_there_are_no_numbers_of_them(tmp_path):
    config, observer = small("center", val_size=0, epochs=1, network="linear"), Recorder()
    result = run(config, tmp_path, observer)
    folder = Store(tmp_path).run(config)
    assert result.status == "done" and result.val_accuracy is None and result.test_accuracy > 0.2
    for (record,) in (observer.records, folder.epochs()):
        assert np.isnan(record.val_accuracy) and np.isnan(record.spread) and np.isnan(record.gap)
    assert {name: len(part.labels) for name, part in folder.features()[0].items()} == {
        "train": 1433,
        "test": 364,
    }
    assert "val_accuracy" not in StoredRun(folder).numbers


def test_stored_model_gives_the_stored_features(tmp_path):
    config = small("arcface")
    run(config, tmp_path)
    folder = Store(tmp_path).run(config)
    network, loss = load_model(folder)
    network = network.to(memory_format=torch.channels_last)
    stored, directions = folder.features()
    splits = load_splits(SplitSpec("digits", config.val_size))
    features = Evaluator(network, loss, splits, config, torch.float32).embed(splits.test.images)
    np.testing.assert_allclose(features.numpy(), stored["test"].features, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(loss.directions("weight").numpy(), directions["weight"])
    assert [float(each.progress) for each in loss.losses] == [1.0], "the loss at the end of the training"


@pytest.mark.parametrize("loss", ["ldam", "logit-adjusted"])
def test_class_counts_of_the_split_are_stored_with_the_model(tmp_path, loss):
    """A reopened model knows them without the data, and a continued run computes with the same ones."""
    config = small(loss)
    with pytest.raises(Interrupted):
        run(config, tmp_path, Recorder(5))
    folder = Store(tmp_path).run(config)
    counts = torch.bincount(load_splits(config.split_spec).train.labels).float()
    assert counts.unique().numel() > 1
    assert torch.equal(load_state(folder.read_bytes("resume.pt"), "here")["loss"]["losses.0.counts"], counts)
    run(config, tmp_path)
    _, stored = load_model(folder)
    assert torch.equal(stored.losses[0].counts, counts)


def test_a_class_that_noisy_labels_left_without_an_image_counts_as_one(tmp_path):
    """Ten images, one of each class, with other labels: at this seed none of them is of the last class."""
    config = small(
        "logit-adjusted", network="linear", train_size=10, label_noise=0.9, epochs=1, batch_size=10, seed=2
    )
    splits = under_conditions(load_splits(config.split_spec), config.training_conditions, config.seed)
    counts = torch.bincount(splits.train.labels)
    assert len(counts) < 10
    run(config, tmp_path)
    _, stored = load_model(Store(tmp_path).run(config))
    expected = torch.ones(10)
    expected[: len(counts)] = counts.clamp(min=1)
    assert torch.equal(stored.losses[0].counts, expected)


def test_divergence_is_stored_and_keeps_the_last_finite_values(tmp_path):
    """A learning rate that blows the loss up: the run stops, says in which epoch, and stays stopped."""
    config = small("softmax", lr=1e9, network="lenet")
    with pytest.raises(Diverged, match="epoch"):
        run(config, tmp_path)
    result = Store(tmp_path).run(config).result()
    assert result.status == "diverged"
    assert result.test_accuracy is None
    assert result.epoch == result.epochs + 1
    again = Recorder()
    with pytest.raises(Diverged):
        run(config, tmp_path, again)
    assert again.steps == 0


@pytest.mark.parametrize(
    "loss", ["ghm", "ghm + 0.1*center", "l-softmax", "oim", "triplet", "range", "n-pair"]
)
def test_losses_with_state_or_pairs_diverge_like_softmax(tmp_path, loss):
    with pytest.raises(Diverged, match="epoch 1"):
        run(small(loss, lr=1e9, epochs=1), tmp_path)


def test_a_loss_that_turns_nan_late_keeps_the_epochs_before(tmp_path, monkeypatch):
    class Poisoned(Trainer):
        def step(self):
            super().step()
            if self.epoch == 2:
                self.loss_sums += torch.nan

    monkeypatch.setattr(train_module, "Trainer", Poisoned)
    config = small("softmax", epochs=4)
    with pytest.raises(Diverged, match="epoch 3"):
        run(config, tmp_path)
    result = Store(tmp_path).run(config).result()
    assert result.epoch == 3
    assert np.isfinite(result.loss)
    assert all(torch.isfinite(tensor).all() for tensor in weights(tmp_path, config).values())


def test_a_resume_state_has_the_entries_of_its_format(tmp_path):
    """States that earlier versions stored are continued: an entry with another name or form breaks that."""
    config = small(recipe="compact")
    with pytest.raises(Interrupted):
        run(config, tmp_path, Recorder(17))
    folder = Store(tmp_path).run(config)
    state = load_state(folder.read_bytes("resume.pt"), "here")
    assert (state["epoch"], state["step"], len(state["sums"])) == (1, 5, 3)
    (record,), (seconds, epoch_seconds) = state["records"], state["seconds"]
    assert record[0] == 1
    assert set(record[3]) == {"softmax", "center"}
    assert seconds > record[5] > 0 < epoch_seconds
    parameters = [p for module in build(config) for p in module.parameters()]
    entries = state["optimizer"]["state"]
    assert [entries[number]["exp_avg"].shape for number in range(len(entries))] == [
        p.shape for p in parameters
    ]
    assert state["optimizer"]["param_groups"][0]["params"] == list(range(len(parameters)))
    assert {"network", "loss", "snapshots", "threads", "random", "cuda_random"} <= set(state)


@pytest.mark.parametrize(
    ("epoch", "records", "step", "reason"),
    [(4, 4, 0, "it has 4 epochs"), (2, 1, 5, "it has 1 epochs"), (1, 1, 12, "it has 12 steps of an epoch")],
)
def test_a_state_of_an_impossible_moment_is_refused(tmp_path, epoch, records, step, reason):
    """Of three epochs with twelve steps each."""
    config = small()
    with pytest.raises(Interrupted):
        run(config, tmp_path, Recorder(17))
    folder = Store(tmp_path).run(config)
    state = load_state(folder.read_bytes("resume.pt"), "here")
    state |= {"epoch": epoch, "step": step, "records": state["records"] * records}
    folder.write_bytes("resume.pt", state_bytes(state))
    with pytest.raises(RunError, match=reason):
        run(config, tmp_path)


def test_a_damaged_resume_state_is_refused_and_kept(tmp_path):
    config = small()
    with pytest.raises(Interrupted):
        run(config, tmp_path, Recorder(5))
    state = Store(tmp_path).run(config).path / "resume.pt"
    content = state.read_bytes()
    state.write_bytes(content[: len(content) // 2])
    with pytest.raises(RunError, match="--force"):
        run(config, tmp_path)
    assert state.read_bytes() == content[: len(content) // 2]
    assert run(config, tmp_path, force=True).status == "done"


@pytest.mark.parametrize(
    "name",
    [  # the others in the slow tier: the battery of each loss runs every time
        name if number % 8 == 0 else pytest.param(name, marks=pytest.mark.slow)
        for number, name in enumerate(catalog.names("losses"))
    ],
)
def test_every_loss_trains_on_real_digits(tmp_path, name):
    """Through the whole program, far above chance (10 %) after seconds, by its own rule."""
    config = dataclasses.replace(small(name), epochs=6)
    result = run(config, tmp_path)
    assert result.status == "done"
    assert result.test_accuracy > 0.3


@pytest.mark.mnist
def test_center_learns_mnist_within_an_epoch(tmp_path, mnist_folder):
    """The real thing, one epoch: 55,000 images, two-dimensional features, far above chance."""
    config = make_config(loss="center", lam=0.003, epochs=1)
    watching = Recorder()
    result = train_module.train(
        config,
        Store(tmp_path),
        placement=Placement("cpu", mnist_folder, 1),
        observer=watching,
        stop=watching.stop,
    )
    assert watching.steps == 55_000 // 128
    assert result.test_accuracy > 0.95
    assert result.val_accuracy > 0.95
