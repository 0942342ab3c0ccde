"""Runs that train together in one process are what they are alone."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lossbench import engines
from lossbench.data._batches import epoch_batches
from lossbench.engines.in_process import GroupExecutor, outcome_of_error
from lossbench.engines.scheduler import ProgressMonitor, Scheduler
from lossbench.errors import Busy, DataError, Diverged, Interrupted, RunError
from lossbench.records import NullObserver
from lossbench.runs.result import Status
from lossbench.runs.run_folder import RunFolder
from lossbench.runs.store import Store
from lossbench.specs import catalog
from lossbench.training.cuda_graph import StepGraph
from lossbench.training.process import Placement
from lossbench.training.trainer import Trainer

from ..helpers.runs import ONE_THREAD, Recorder, run, small

LOSSES = catalog.names("losses")
RANDOM = {"loss": "triplet", "settings": {"mining": "random"}}


def together(configs, folder, size=8, observer=None):
    observer = observer or Recorder()
    monitor = ProgressMonitor(observer)
    executor = GroupExecutor(Store(folder), ONE_THREAD, monitor, observer.stop, size)
    return list(Scheduler(executor, monitor, observer.stop).run(configs))


def assert_equal_runs(configs, left, right):
    for config in configs:
        one, other = (Store(folder).run(config) for folder in (left, right))
        assert load_bits(one, "model.safetensors") == load_bits(other, "model.safetensors")
        features, others = np.load(one.path / "features.npz"), np.load(other.path / "features.npz")
        assert list(features) == list(others)
        assert all(np.array_equal(features[name], others[name], equal_nan=True) for name in features)
        assert [r._replace(seconds=0, images_per_second=0) for r in one.epochs()] == [
            r._replace(seconds=0, images_per_second=0) for r in other.epochs()
        ]
        assert sorted(p.name for p in one.path.iterdir()) == sorted(p.name for p in other.path.iterdir())


def load_bits(run_folder, name):
    return {key: tensor.numpy().tobytes() for key, tensor in load_file(run_folder.path / name).items()}


@pytest.mark.parametrize(
    ("count", "names"),
    [(3, LOSSES[::4]), pytest.param(50, LOSSES, marks=pytest.mark.slow)],
    ids=["every fourth", "all"],
)
def test_steps_of_losses_taken_together_are_those_alone(count, names):
    """One group of many losses, each at another seed, and two that draw random numbers."""
    configs = [small(name, seed=seed) for seed, name in enumerate(names)]
    configs += [small(**RANDOM, seed=seed) for seed in (0, 1)]

    def begin():
        for config in configs:
            trainer = Trainer(RunFolder(Path(), config), ONE_THREAD, NullObserver(), lambda: False)
            order = epoch_batches(
                trainer.splits.train.labels,
                batch_size=config.batch_size,
                seed=config.seed,
                epoch=0,
                classes_per_batch=config.classes_per_batch,
                samples_per_class=config.samples_per_class,
            )
            yield trainer, order

    def prepare(trainer, order, step):
        trainer.loss.advance(step / count)
        trainer.optimizer.set_rate(0.01)
        trainer.batch_indices.copy_(order[step % len(order)])

    group, alone, graph = list(begin()), list(begin()), StepGraph()
    for step in range(count):
        for trainer, order in group:
            prepare(trainer, order, step)
        assert not graph.step([trainer for trainer, _ in group])
    for trainer, order in alone:
        for step in range(count):
            prepare(trainer, order, step)
            trainer.step()
    for (one, _), (other, _) in zip(group, alone, strict=True):
        for left, right in ((one.network, other.network), (one.loss, other.loss)):
            assert all(map(torch.equal, left.state_dict().values(), right.state_dict().values()))
        assert torch.equal(one.loss_sums, other.loss_sums), one.config.loss


@pytest.mark.slow
def test_whole_runs_are_equal_and_the_next_begins_when_there_is_room(tmp_path):
    configs = [
        small("center"),
        small("center", seed=1, epochs=2),
        small(**RANDOM),
        small("softmax", lr=0.002),
    ]
    outcomes = together(configs, tmp_path / "group", size=2)
    assert [outcome.status for outcome in outcomes] == ["done"] * 4
    assert outcomes[0].config == configs[1], "two epochs are over before three"
    for config in configs:
        run(config, tmp_path / "alone")
    assert_equal_runs(configs, tmp_path / "group", tmp_path / "alone")


def test_one_that_diverges_or_fails_does_not_disturb_the_others(tmp_path, monkeypatch):
    configs = [small("softmax"), small("softmax", lr=1e9, network="lenet"), small("squared")]

    class Broken(catalog.load("losses", "squared")):
        def forward(self, features, labels):
            if not hasattr(self, "calls"):
                self.calls = 0
            self.calls += 1
            if self.calls == 20:
                raise ZeroDivisionError("in step 20")
            return super().forward(features, labels)

    load = catalog.load
    monkeypatch.setattr(catalog, "load", lambda kind, name: Broken if name == "squared" else load(kind, name))
    outcomes = {outcome.config: outcome for outcome in together(configs, tmp_path / "group")}
    assert [outcomes[config].status for config in configs] == ["done", "diverged", "failed"]
    assert "ZeroDivisionError: in step 20" in outcomes[configs[2]].message
    assert "Traceback" in (Store(tmp_path / "group").run(configs[2]).path / "log.txt").read_text()
    run(configs[0], tmp_path / "alone")
    assert_equal_runs(configs[:1], tmp_path / "group", tmp_path / "alone")
    with Store(tmp_path / "group").run(configs[2]).lock():
        pass  # nobody holds it any more


@pytest.mark.slow
def test_interrupted_together_and_continued_equals_uninterrupted(tmp_path):
    configs = [small("center"), small(**RANDOM), small("center", seed=1)]
    outcomes = together(configs, tmp_path / "group", size=2, observer=Recorder(25))
    assert {outcome.status for outcome in outcomes} == {"interrupted"}
    assert len(outcomes) == 2, "the third had not begun"
    together(configs, tmp_path / "group")
    for config in configs:
        run(config, tmp_path / "alone")
    assert_equal_runs(configs, tmp_path / "group", tmp_path / "alone")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", catalog.names("losses"))
def test_recorded_steps_are_those_that_are_taken_one_by_one(name, tmp_path):
    """A group of two is recorded; the same two step by step give the same losses but for rounding."""
    configs = [small(name, seed=seed) for seed in (0, 1)]
    placement = Placement("cuda")

    def trained(recording):
        members = [Trainer(RunFolder(Path(), c), placement, NullObserver(), lambda: False) for c in configs]
        graph = StepGraph()
        for step in range(20):
            for number, member in enumerate(members):
                member.loss.advance(0.7)
                member.optimizer.set_rate(0.001)
                member.batch_indices.copy_(torch.arange(100) * (number + 1) + step)
            if recording:
                assert not graph.step(members)
            else:
                for member in members:
                    member.step()
        assert graph.recorded is recording
        return torch.stack([member.loss_sums for member in members]).cpu()

    torch.testing.assert_close(trained(True), trained(False), rtol=1e-4, atol=1e-5)


def test_a_run_that_failed_before_it_began_has_a_log(tmp_path):
    folder = Store(tmp_path).run(small("softmax"))
    outcome = outcome_of_error(folder, ValueError("no such thing"))
    assert (outcome.status, outcome.config) == (Status.FAILED, folder.config)
    assert outcome.message == f"ValueError: no such thing (see {folder.path / 'log.txt'})"
    assert "ValueError: no such thing" in (folder.path / "log.txt").read_text()


@pytest.mark.parametrize(
    ("error", "status", "raised"),
    [
        (Diverged("its loss became NaN"), Status.DIVERGED, Diverged),
        (Interrupted("it was asked to stop"), Status.INTERRUPTED, Interrupted),
        (Busy("another process trains it"), Status.BUSY, RunError),
        (DataError("there are no images"), Status.FAILED, RunError),
        (ZeroDivisionError("division by zero"), Status.FAILED, RunError),
        (MemoryError("it is full"), Status.DIED, RunError),
        (torch.OutOfMemoryError("it is full"), Status.DIED, RunError),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), Status.DIED, RunError),
    ],
)
def test_an_error_of_a_run_is_its_outcome_and_is_raised_again_where_the_run_was_called(
    tmp_path, error, status, raised
):
    outcome = outcome_of_error(Store(tmp_path).run(small("softmax")), error)
    assert (outcome.status, outcome.result) == (status, None)
    with pytest.raises(raised, match=re.escape(str(error))):
        engines._result(outcome)


def test_a_run_without_an_outcome_was_interrupted():
    with pytest.raises(Interrupted, match="had not begun"):
        engines._result(None)
