"""The local engine: parallel equals serial, a failure stops nobody, a killed worker's run is not lost."""

from __future__ import annotations

import os
import signal

import pytest

from lossbench.engines import local
from lossbench.engines._outcomes import while_there_is_hope
from lossbench.errors import RunError
from lossbench.runs.outcome import Outcome
from lossbench.runs.result import Status
from lossbench.runs.store import Store
from lossbench.training import train as running
from lossbench.training.process import Placement

from ..helpers.runs import ONE_THREAD, Recorder, small


def outcomes(configs, folder, workers, observer=None, **options):
    observer = observer or Recorder()
    made = local.run_all(
        configs,
        Store(folder),
        placement=ONE_THREAD,
        workers=workers,
        observer=observer,
        stop=options.pop("stop", observer.stop),
        **options,
    )
    return {outcome.config: outcome for outcome in made}


@pytest.mark.slow
def test_parallel_equals_serial_and_stored_runs_are_skipped(tmp_path):
    configs = [small("center", lam=lam) for lam in (0.0, 0.01)] + [small("arcface")]
    serial = outcomes(configs, tmp_path / "serial", 1)
    parallel = outcomes(configs, tmp_path / "parallel", 2)
    for config in configs:
        assert serial[config].status == parallel[config].status == "done"
        for key in ("test_accuracy", "val_accuracy", "metrics", "loss", "terms"):
            assert serial[config].result.to_dict()[key] == parallel[config].result.to_dict()[key]
    again = Recorder()
    stored = outcomes(configs, tmp_path / "parallel", 2, again)
    assert {outcome.message for outcome in stored.values()} == {"stored"}
    assert again.steps == 0


@pytest.mark.slow
def test_one_failure_does_not_stop_the_others(tmp_path):
    """A batch larger than the data set fails one run; a huge rate diverges another; the third is done."""
    configs = [small("softmax", batch_size=5000), small("softmax", lr=1e9, network="lenet"), small("softmax")]
    made = outcomes(configs, tmp_path, 2)
    assert [made[config].status for config in configs] == ["failed", "diverged", "done"]
    assert "batch-size" in made[configs[0]].message
    assert "failed" in (Store(tmp_path).run(configs[0]).path / "log.txt").read_text()


NOTING = """
import os, pathlib
from torch import nn

class Noting(nn.Module):
    \"\"\"Writes down what it finds in the environment.\"\"\"

    def __init__(self, num_classes, feature_dim):
        super().__init__()
        pathlib.Path(os.environ["NOTES"], str(os.getpid())).write_text(os.environ.get("NOTED", "nothing"))

    def forward(self, features, labels):
        return features.square().mean()
"""


def test_workers_have_the_environment_and_folder_of_their_sweep(tmp_path, monkeypatch):
    """Not those of the moment in which the server that forks them was started."""
    (tmp_path / "noting_losses.py").write_text(NOTING)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for word in ("once", "again", None):
        notes = tmp_path / f"notes-{word}"
        notes.mkdir()
        monkeypatch.setenv("NOTES", str(notes))
        monkeypatch.setenv("NOTED", word) if word else monkeypatch.delenv("NOTED")
        configs = [small("softmax + noting_losses:Noting", epochs=1, seed=seed) for seed in (0, 1)]
        made = outcomes(configs, tmp_path / str(word), 2)
        assert {outcome.status for outcome in made.values()} == {"done"}, made
        own = {path.name: path.read_text() for path in notes.iterdir() if path.name != str(os.getpid())}
        assert len(own) == 2, "two workers"
        assert set(own.values()) == {word or "nothing"}


def test_an_unexpected_error_leaves_its_traceback_in_the_log(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(running, "Trainer", broken)
    config = small("softmax")
    Store(tmp_path).run(config).path.mkdir(parents=True)
    made = outcomes([config], tmp_path, 1)
    assert made[config].status == "failed"
    log = (Store(tmp_path).run(config).path / "log.txt").read_text()
    assert "Traceback" in log
    assert "a fault of ours" in log


class Killer(Recorder):
    """Kills every worker of the pool once, as soon as a run has begun."""

    def __init__(self, pool):
        super().__init__()
        self.pool, self.killed = pool, []

    def started(self, run, epochs, steps, done):
        if len(self.killed) < 1:
            for worker in self.pool()[:1]:
                os.kill(worker.pid, signal.SIGKILL)
                self.killed.append(worker.pid)


@pytest.mark.slow
def test_the_run_of_a_killed_worker_is_tried_again(tmp_path):
    import multiprocessing

    configs = [small("softmax", epochs=8, seed=seed) for seed in (0, 1)]
    killer = Killer(multiprocessing.active_children)
    made = outcomes(configs, tmp_path / "killed", 2, killer, stop=lambda: False)
    assert killer.killed
    assert {outcome.status for outcome in made.values()} == {"done"}
    undisturbed = outcomes(configs, tmp_path / "whole", 1)
    for config in configs:
        assert made[config].result.metrics == undisturbed[config].result.metrics
    assert not multiprocessing.active_children()


class Freezer(Recorder):
    """Stops a worker without killing it, once, as soon as a run has begun."""

    frozen = 0

    def started(self, run, epochs, steps, done):
        import multiprocessing

        if not Freezer.frozen:
            Freezer.frozen = multiprocessing.active_children()[0].pid
            os.kill(Freezer.frozen, signal.SIGSTOP)


@pytest.mark.slow
def test_the_run_of_a_hung_worker_is_tried_again(tmp_path, monkeypatch):
    import multiprocessing

    kill_silent = local._Pool._kill_silent

    def long_since(pool):  # as if hours had passed for the frozen worker alone
        for worker in pool.running:
            if worker.process.pid == Freezer.frozen:
                pool.heard[worker] -= 10 * local._SILENCE
        kill_silent(pool)

    monkeypatch.setattr(local._Pool, "_kill_silent", long_since)
    configs = [small("softmax", epochs=8, seed=seed) for seed in (0, 1)]
    made = outcomes(configs, tmp_path, 2, Freezer(), stop=lambda: False)
    assert Freezer.frozen
    assert {outcome.status for outcome in made.values()} == {"done"}
    assert not multiprocessing.active_children()


def test_three_failures_in_a_row_for_one_reason_stop_the_sweep(tmp_path):
    good, bad = small("softmax"), [small("softmax", batch_size=5000 + n) for n in range(3)]
    with pytest.raises(RunError, match="3 runs in a row failed for the same reason.*full disk"):
        list(while_there_is_hope(failed(config, "full disk") for config in bad))
    mixed = [failed(bad[0], "full disk"), failed(bad[1], "full disk"), failed(bad[2], "another")]
    assert list(while_there_is_hope(mixed)) == mixed
    between = [*mixed[:2], Outcome(good, Status.DONE), mixed[0]]
    assert list(while_there_is_hope(between)) == between


def failed(config, message):
    return Outcome(config, Status.FAILED, None, f"{config.run_name}: {message}")


def test_no_other_run_starts_after_three_equal_failures(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr(running, "Trainer", broken)
    configs = [small("softmax", seed=seed) for seed in range(5)]
    with pytest.raises(RunError, match="No space left on device"):
        outcomes(configs, tmp_path, 1)
    assert [Store(tmp_path).run(config).path.exists() for config in configs] == [True] * 3 + [False] * 2


@pytest.mark.slow
def test_a_request_to_stop_saves_and_the_next_call_continues(tmp_path):
    configs = [small("softmax", epochs=40, seed=seed) for seed in (0, 1, 2)]

    class Once(Recorder):
        seen = 0

        def finished_epoch(self, run, record):
            Once.seen += 1

    watching = Once()
    made = outcomes(configs, tmp_path, 2, watching, stop=lambda: Once.seen >= 2)
    assert all(outcome.status == "interrupted" for outcome in made.values())
    folders = [Store(tmp_path).run(config) for config in configs[:2]]
    assert all((folder.path / "resume.pt").exists() and folder.result() is None for folder in folders)


def test_missing_data_is_one_error_before_anything_starts(tmp_path):
    from lossbench.errors import DataError
    from lossbench.runs.config_builder import make_config

    config = make_config(loss="softmax", dataset="mnist")
    (tmp_path / "data/MNIST/raw").mkdir(parents=True)
    (tmp_path / "data/MNIST/raw/train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03")
    for name in ("train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        (tmp_path / "data/MNIST/raw" / name).write_bytes(b"")
    run_all = local.run_all(
        [config],
        Store(tmp_path / "results"),
        placement=Placement("cpu", tmp_path / "data", 1),
        workers=2,
        observer=Recorder(),
        stop=lambda: False,
    )
    with pytest.raises(DataError, match="train-images-idx3-ubyte"):
        list(run_all)
