"""The estimate before training is right within a factor, and leaves no trace."""

from __future__ import annotations

import itertools
import random
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lossbench.data import load_splits
from lossbench.engines import estimate, run_all, time_estimate
from lossbench.engines.time_estimate import RunTime, estimate_time, time_of
from lossbench.errors import DataError
from lossbench.runs.config_builder import make_config
from lossbench.runs.store import Store
from lossbench.training import device, process
from lossbench.training.process import Placement

from ..data.test_datasets import write_data_set
from ..helpers.runs import ONE_THREAD, Recorder, run, small


@pytest.mark.slow
def test_the_estimate_is_within_a_factor_of_three_and_changes_nothing(tmp_path: Path) -> None:
    """Two runs of three epochs: estimated, then trained; and one of them trained without any estimate."""
    configs, store = [small("center", seed=seed) for seed in (0, 1)], Store(tmp_path / "estimated")
    run(small("softmax", epochs=1), tmp_path / "warm")  # imports are no part of a run
    random_before = torch.get_rng_state(), np.random.get_state(), random.getstate()
    estimate = estimate_time(configs, store, placement=ONE_THREAD, workers=1)
    assert torch.equal(torch.get_rng_state(), random_before[0])
    assert str(np.random.get_state()) == str(random_before[1])
    assert random.getstate() == random_before[2]
    assert not store.root.exists()
    assert (estimate.stored, estimate.waiting) == (0, 2)

    began = time.perf_counter()
    made = list(
        run_all(configs, store, placement=ONE_THREAD, workers=1, observer=Recorder(), stop=lambda: False)
    )
    taken = time.perf_counter() - began
    assert {outcome.status for outcome in made} == {"done"}
    assert taken / 3 < estimate.seconds < 3 * taken

    run(configs[0], tmp_path / "alone")
    one, other = (
        load_file(Store(folder).run(configs[0]).path / "model.safetensors")
        for folder in (tmp_path / "estimated", tmp_path / "alone")
    )
    assert all(torch.equal(one[key], other[key]) for key in one.keys() | other.keys())
    assert estimate_time(configs, store, placement=ONE_THREAD, workers=1)[:3] == (2, 0, 0.0)
    assert estimate_time(configs, store, placement=ONE_THREAD, workers=1, force=True)[:2] == (0, 2)


@pytest.fixture
def two_threads() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_threads_stay_as_they_were_also_after_an_error(tmp_path: Path) -> None:
    store = Store(tmp_path / "results")
    estimate_time([small("softmax")], store, placement=ONE_THREAD, workers=1)
    assert torch.get_num_threads() == 2
    raw = write_data_set(tmp_path, "FashionMNIST")
    (raw / "train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03")
    configs = [small("softmax"), make_config(dataset="fashion-mnist")]
    with pytest.raises(DataError, match="train-images-idx3-ubyte"):
        estimate_time(configs, store, placement=Placement("cpu", tmp_path, 1), workers=1)
    assert torch.get_num_threads() == 2
    assert not store.root.exists()


def test_a_run_that_cannot_be_timed_stops_nobody(tmp_path: Path) -> None:
    """A batch larger than the data set: the run will fail with a sentence, the others go on."""
    configs = [small("softmax", batch_size=5000), small("softmax")]
    estimate = estimate_time(configs, Store(tmp_path), placement=ONE_THREAD, workers=1)
    assert (estimate.stored, estimate.waiting) == (0, 2)
    assert estimate.seconds > 0


@pytest.mark.parametrize(
    ("epochs", "workers", "seconds"),
    [
        ((3,), 2, 3),
        ((3, 3), 1, 6),
        ((3, 3, 3), 2, 6),
        ((5, 1, 1, 1), 2, 5),
        ((1, 1, 1, 5), 2, 6),
        ((2, 2), 9, 2),
    ],
)
def test_workers_take_the_next_run_when_they_are_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epochs: tuple[int, ...], workers: int, seconds: int
) -> None:
    timed = []

    def one_second_an_epoch(config: Any, placement: Placement, together: int) -> RunTime:
        assert together == 1, "on a processor workers train one run each"
        timed.append(placement.threads)
        return RunTime(epoch=1.0)

    monkeypatch.setattr(time_estimate, "time_of", one_second_an_epoch)
    monkeypatch.setattr(process, "cores", lambda: 4)
    configs = [small("softmax", seed=seed, epochs=count) for seed, count in enumerate(epochs)]
    estimate = estimate_time(configs, Store(tmp_path), placement=Placement("cpu"), workers=workers)
    at_once = min(workers, len(epochs))
    startup = time_estimate.STARTUP if at_once > 1 else 0
    assert estimate.seconds == pytest.approx(startup + seconds)
    assert timed == [1 if at_once > 1 else None], "one kind of run is timed once, at its threads"


def test_each_loss_is_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loss may take a sixth of a step, or far more if it is a user's."""
    timed = []

    def by_loss(config: Any, placement: Placement, together: int) -> RunTime:
        timed.append(config.loss)
        return RunTime(epoch={"softmax": 1.0, "triplet": 5.0}[config.loss])

    monkeypatch.setattr(time_estimate, "time_of", by_loss)
    configs = [small(loss, seed=seed, epochs=1) for loss in ("softmax", "triplet") for seed in (0, 1)]
    estimate = estimate_time(configs, Store(tmp_path), placement=ONE_THREAD, workers=1)
    assert estimate.seconds == pytest.approx(12)
    assert timed == ["softmax", "triplet"]


def test_what_comes_once_in_a_run_is_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of runs of 1 and of 8 epochs one is timed; each has one end."""
    monkeypatch.setattr(time_estimate, "time_of", lambda *_: RunTime(epoch=3.0, end=2.0))
    configs = [small("softmax", epochs=epochs) for epochs in (1, 8)]
    estimate = estimate_time(configs, Store(tmp_path), placement=ONE_THREAD, workers=1)
    assert estimate.seconds == (3 + 2) + (8 * 3 + 2)


@pytest.mark.parametrize("together", [1, 2])
def test_the_time_of_a_run_is_that_of_its_steps_and_of_the_images_that_are_evaluated(
    together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a clock that shows 0, 1, 4, 9 and 16: steps of 1 and 3 seconds, then 7 for a thousand images."""
    times = (float(n * n) for n in itertools.count())
    monkeypatch.setattr(time_estimate, "time", SimpleNamespace(perf_counter=times.__next__))
    config = small("softmax", epochs=1)
    train, val, test, _ = (len(split.labels) for split in load_splits(config.split_spec))
    found = time_of(config, ONE_THREAD, together)
    assert found.epoch == pytest.approx(3 * (train // 100) + together * 0.007 * val)
    assert found.end == pytest.approx(together * 0.007 * (train + val + test))


def test_the_end_of_a_run_takes_as_long_however_many_epochs_it_has() -> None:
    one, many = (time_of(small("softmax", epochs=epochs), ONE_THREAD) for epochs in (1, 100))
    assert min(one) > 0
    for first, second in zip(one, many, strict=True):
        assert first / 5 < second < 5 * first


def test_runs_on_fewer_images_are_timed_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        time_estimate, "time_of", lambda config, *_: RunTime(epoch=config.train_size or 500, end=0.5)
    )
    configs = [small("softmax", epochs=1, train_size=size, seed=seed) for size in (0, 100) for seed in (0, 1)]
    estimate = estimate_time(configs, Store(tmp_path), placement=ONE_THREAD, workers=1)
    assert estimate.seconds == 2 * 500.5 + 2 * 100.5


@pytest.mark.parametrize(("seconds", "workers"), [(9.5, 1), (10.5, 2)])
def test_runs_of_more_than_twenty_seconds_are_worth_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, workers: int
) -> None:
    monkeypatch.setattr(time_estimate, "time_of", lambda *_: RunTime(epoch=seconds))
    monkeypatch.setattr(device, "cores", lambda: 4)
    configs = [small("softmax", seed=seed, epochs=1) for seed in (0, 1)]
    expected = estimate(configs, Store(tmp_path), placement=Placement("cpu"))
    assert expected is not None and expected.workers == workers
    assert expected.seconds == pytest.approx(2 * seconds if workers == 1 else time_estimate.STARTUP + seconds)
    asked = estimate(configs, Store(tmp_path), placement=Placement("cpu"), workers=1)
    assert asked is not None and asked.workers == 1, "what is asked for stays"
    (alone,) = [estimate(configs[:1], Store(tmp_path), placement=Placement("cpu"), force=True)]
    assert alone is not None and alone.workers == 1


def test_attacks_count_where_they_are_not_measured_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the training on so many images: PGD takes 40 gradients of each of 1,000 images."""
    monkeypatch.setattr(time_estimate, "time_of", lambda *_: RunTime(epoch=3.0))
    store, configs = Store(tmp_path), [small("softmax", seed=seed, epochs=1) for seed in (0, 1, 2)]
    run(configs[0], tmp_path)
    run(configs[1], tmp_path)
    store.run(configs[1]).write_metrics({"robust-accuracy-pgd": 0.5})
    metrics = {
        configs[0]: ["robust-accuracy-pgd", "map-at-r"],
        configs[1]: ["robust-accuracy-pgd", "robust-accuracy-fgsm"],
        configs[2]: ["robust-accuracy-apgd-ce", "unseen:map-at-r"],
    }
    images = len(load_splits(configs[0].split_spec).train.labels)
    estimate = estimate_time(configs, store, placement=ONE_THREAD, workers=1, metrics=metrics)
    assert (estimate.stored, estimate.waiting, estimate.seconds) == (2, 1, 3.0)
    assert estimate.measuring == pytest.approx(3.0 * (40_000 + 1_000 + 100_000) / images)
    again = estimate_time(configs, store, placement=ONE_THREAD, workers=1, metrics=metrics, force=True)
    assert again.measuring == pytest.approx(3.0 * (2 * 40_000 + 1_000 + 100_000) / images)
    assert estimate_time(configs[:2], store, placement=ONE_THREAD, workers=1).measuring == 0


def test_a_run_that_cannot_be_read_will_not_train(tmp_path: Path) -> None:
    config, store = small("softmax"), Store(tmp_path)
    folder = store.run(config).path
    folder.mkdir(parents=True)
    (folder / "result.json").write_text("{", encoding="utf-8")
    assert estimate_time([config], store, placement=ONE_THREAD, workers=1)[:3] == (1, 0, 0.0)
