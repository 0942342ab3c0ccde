"""The rules of the scheduler, on every executor: in this process, in worker processes, on Ray."""

from __future__ import annotations

import contextlib
import multiprocessing
import time

import pytest

from lossbench.engines import LOCAL, EngineOptions, run_all, scheduler
from lossbench.engines.processes import ProcessExecutor
from lossbench.engines.ray import RayExecutor
from lossbench.engines.scheduler import Executor, ProgressMonitor, Scheduler, stop_after_equal_failures
from lossbench.errors import DataError, RunError, UsageError
from lossbench.runs.config_builder import make_config
from lossbench.runs.outcome import STORED, Outcome
from lossbench.runs.result import RunResult, Status
from lossbench.runs.store import Store
from lossbench.training import train as training
from lossbench.training.process import Placement

from ..figures.views import epoch_records
from ..helpers.runs import ONE_THREAD, Recorder, small
from ..reliability.results_folders import completed, contents

ENGINES = {
    "in process": {"engine": LOCAL, "workers": 1},
    "processes": {"engine": LOCAL, "workers": 2},
    "ray": {"engine": EngineOptions("ray"), "workers": 0},
}
SLOW_RAY = pytest.param("ray", marks=pytest.mark.slow)
SLOW_PROCESSES = pytest.param("processes", marks=pytest.mark.slow)
FEW_IMAGES = {"unseen": "2,3,4,5,6,7,8,9", "batch_size": 50}
WITH_FAULTS = "softmax + tests.helpers.faulty_losses:Faulty"


@pytest.fixture
def engine(request):
    """The arguments of `run_all` that choose an executor."""
    if request.param == "ray":
        request.getfixturevalue("cluster")
    return ENGINES[request.param]


on_every_executor = pytest.mark.parametrize("engine", ["in process", SLOW_PROCESSES, SLOW_RAY], indirect=True)
on_workers = pytest.mark.parametrize("engine", ["processes", SLOW_RAY], indirect=True)


def begin(configs, folder, engine, observer=None, **options):
    observer = observer or Recorder()
    options = {"placement": ONE_THREAD, "stop": observer.stop, **engine, **options}
    return run_all(configs, Store(folder), observer=observer, **options)


def outcomes_of(configs, folder, engine, observer=None, **options):
    outcomes = {o.config: o for o in begin(configs, folder, engine, observer, **options)}
    assert not multiprocessing.active_children()
    return outcomes


def statuses(configs, folder, engine, observer=None, **options):
    outcomes = outcomes_of(configs, folder, engine, observer, **options)
    return [outcomes[config].status if config in outcomes else None for config in configs]


@on_every_executor
def test_results_are_the_same_everywhere_and_stored_runs_are_not_trained_again(tmp_path, engine):
    configs = [small("center", lam=lam, epochs=2, **FEW_IMAGES) for lam in (0.0, 0.01)]
    configs.append(small("arcface", epochs=2, **FEW_IMAGES))
    assert statuses(configs, tmp_path / "here", engine) == [Status.DONE] * 3
    assert statuses(configs, tmp_path / "reference", ENGINES["in process"]) == [Status.DONE] * 3
    assert contents(tmp_path / "here") == contents(tmp_path / "reference")
    results, observer = completed(tmp_path / "here"), Recorder()
    again = outcomes_of(configs, tmp_path / "here", engine, observer)
    assert {outcome.message for outcome in again.values()} == {STORED}
    assert observer.steps == 0
    assert completed(tmp_path / "here") == results
    forced = outcomes_of(configs[:1], tmp_path / "here", engine, force=True)[configs[0]]
    assert (forced.status, forced.message) == (Status.DONE, "")
    assert completed(tmp_path / "here") != results
    assert contents(tmp_path / "here") == contents(tmp_path / "reference")


@on_every_executor
def test_one_failure_does_not_stop_the_others(tmp_path, engine):
    """A batch larger than the data set fails one run; a huge rate diverges another; the third is done."""
    configs = [small("softmax", batch_size=5000), small("softmax", lr=1e9, network="lenet"), small("softmax")]
    outcomes = outcomes_of(configs, tmp_path, engine)
    assert [outcomes[c].status for c in configs] == [Status.FAILED, Status.DIVERGED, Status.DONE]
    assert "batch-size" in outcomes[configs[0]].message
    assert not (Store(tmp_path).run(configs[0]).path / "config.json").exists()  # its training never began
    assert "diverged" in (Store(tmp_path).run(configs[1]).path / "log.txt").read_text()


@on_every_executor
def test_no_other_run_starts_after_three_equal_failures(tmp_path, engine):
    configs = [small("softmax", batch_size=5000, seed=seed) for seed in range(12)]
    outcomes = []
    with pytest.raises(RunError, match="3 runs in a row failed for the same reason.*--batch-size 5000"):
        for outcome in begin(configs, tmp_path, engine):
            outcomes.append(outcome)
    assert not multiprocessing.active_children()
    assert [outcome.status for outcome in outcomes] == [Status.FAILED] * 3


@on_workers
def test_the_run_of_a_killed_worker_is_tried_again_from_its_last_state(tmp_path, engine, orders):
    configs = [small(WITH_FAULTS, epochs=4, seed=seed, **FEW_IMAGES) for seed in (0, 1)]

    class KillAfterFirstEpoch(Recorder):
        def finished_epoch(self, run, record):
            super().finished_epoch(run, record)
            if len(self.records) == 1:
                (orders / "kill").touch()

    assert statuses(configs, tmp_path / "killed", engine, KillAfterFirstEpoch()) == [Status.DONE] * 2
    assert not list(orders.iterdir()), "a worker was killed"
    logs = [path.read_text() for path in (tmp_path / "killed").glob("runs/*/log.txt")]
    assert sum(log.count("starts: ") + log.count("continues in") for log in logs) == 3
    statuses(configs, tmp_path / "undisturbed", ENGINES["in process"])
    assert contents(tmp_path / "killed") == contents(tmp_path / "undisturbed")


@on_workers
def test_each_run_of_own_code_has_a_process_of_its_own(tmp_path, engine, orders):
    (orders / "tell").touch()
    configs = [small(WITH_FAULTS, epochs=1, seed=seed, **FEW_IMAGES) for seed in range(3)]  # of two workers
    assert statuses(configs, tmp_path, engine) == [Status.DONE] * 3
    assert len(list(orders.glob("process *"))) == 3


@pytest.mark.slow
@on_workers
def test_a_run_whose_worker_dies_twice_has_failed_and_the_others_go_on(tmp_path, engine, orders):
    (orders / "kill always").touch()
    configs = [small(WITH_FAULTS), small("softmax"), small("center")]
    outcomes = outcomes_of(configs, tmp_path, engine)
    assert [outcomes[c].status for c in configs] == [Status.FAILED, Status.DONE, Status.DONE]
    assert "died" in outcomes[configs[0]].message


@pytest.mark.slow
@on_workers
def test_a_hung_worker_is_killed_and_its_run_tried_again(tmp_path, engine, orders, monkeypatch):
    monkeypatch.setattr(scheduler, "SILENCE_LIMIT", 20.0)
    (orders / "hang").touch()
    configs = [small(WITH_FAULTS, seed=seed) for seed in (0, 1)]
    assert statuses(configs, tmp_path, engine) == [Status.DONE] * 2
    assert not list(orders.iterdir())


@on_every_executor
def test_a_run_that_another_process_trains_comes_last_and_is_taken_over(tmp_path, engine):
    """Its owner goes without finishing it: then it is trained here, once."""
    held, other = (small(loss, epochs=1, **FEW_IMAGES) for loss in ("center", "softmax"))
    order = []
    with contextlib.ExitStack() as owner:
        owner.enter_context(Store(tmp_path).run(held).lock())
        for outcome in begin([held, other], tmp_path, engine):
            order.append((outcome.config, outcome.status))
            owner.close()
    assert order == [(other, Status.DONE), (held, Status.DONE)]


@on_every_executor
def test_asked_to_stop_runs_save_their_state_and_the_same_call_continues(tmp_path, engine):
    configs = [small("softmax", epochs=30, seed=seed, **FEW_IMAGES) for seed in (0, 1, 2)]

    class StopAfterTwoEpochs(Recorder):
        def stop(self):
            return len(self.records) >= 2

    stopped = statuses(configs, tmp_path / "stopped", engine, StopAfterTwoEpochs())
    assert Status.INTERRUPTED in stopped
    assert Status.DONE not in stopped
    saved = [c for c in configs if (Store(tmp_path / "stopped").run(c).path / "resume.pt").exists()]
    assert saved
    assert statuses(configs, tmp_path / "stopped", engine) == [Status.DONE] * 3
    log = (Store(tmp_path / "stopped").run(saved[0]).path / "log.txt").read_text()
    assert log.count("starts: ") == log.count("continues in") == 1
    statuses(configs[:1], tmp_path / "undisturbed", ENGINES["in process"])
    one, other = (contents(tmp_path / name) for name in ("stopped", "undisturbed"))
    assert {name: one[name] for name in other} == other


@pytest.mark.slow
@on_workers
def test_a_run_that_does_not_stop_within_the_grace_period_is_ended(tmp_path, engine, orders, monkeypatch):
    monkeypatch.setattr(ProcessExecutor, "grace", 2.0)
    monkeypatch.setattr(RayExecutor, "grace", 2.0)
    (orders / "hang").touch()

    def stop():
        return not list(orders.iterdir())  # once it hangs

    began = time.monotonic()
    configs = [small(WITH_FAULTS), small("softmax")]
    assert statuses(configs, tmp_path, engine, stop=stop)[0] is None
    assert time.monotonic() - began < 30
    with Store(tmp_path).run(configs[0]).lock():
        pass


@pytest.mark.parametrize("engine", [*ENGINES])
def test_missing_data_is_one_error_before_anything_starts(tmp_path, engine):
    """Nothing is connected to, either."""
    options = ENGINES[engine]
    if engine == "ray":
        pytest.importorskip("ray")
        options = {"engine": EngineOptions("ray", address="127.0.0.1:1")}  # where nobody answers
    (tmp_path / "data/MNIST/raw").mkdir(parents=True)
    (tmp_path / "data/MNIST/raw/train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03")
    for name in ("train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        (tmp_path / "data/MNIST/raw" / name).write_bytes(b"")
    configs = [make_config(loss="softmax", dataset="mnist", seed=seed) for seed in (0, 1)]
    with pytest.raises(DataError, match="train-images-idx3-ubyte"):
        list(begin(configs, tmp_path / "results", options, placement=Placement("cpu", tmp_path / "data", 1)))
    assert not (tmp_path / "results").exists()


class Scripted(Executor):
    """Ends the runs that it is given as it is told, without training; all begin but busy ones and those that die at once."""

    def __init__(self, monitor, ends):
        self.monitor, self.ends, self.forced, self.waiting = monitor, list(ends), [], []

    def submit(self, config, force):
        self.forced.append(force)
        self.waiting.append(config)

    def poll(self):
        config, status = self.waiting.pop(), self.ends.pop(0)
        if status not in (Status.BUSY, "died at once"):
            self.monitor.started(config.run_name, 3, 12, 0)
        yield Outcome(config, Status.DIED if status == "died at once" else status, None, "its end")


@pytest.mark.parametrize(
    ("ends", "status", "forced"),
    [
        ([Status.BUSY, Status.BUSY, Status.DIED, Status.DONE], Status.DONE, [True, True, True, False]),
        ([Status.DIED, Status.BUSY, Status.DIED], Status.FAILED, [True, False, False]),
        ([Status.INTERRUPTED, Status.DIVERGED], Status.DIVERGED, [True, False]),  # stopped from outside
        ([Status.INTERRUPTED, Status.INTERRUPTED], Status.FAILED, [True, False]),
        (["died at once", Status.DONE], Status.DONE, [True, True]),  # nothing was deleted yet
        ([Status.FAILED], Status.FAILED, [True]),
    ],
)
def test_what_follows_from_the_way_in_which_runs_end(ends, status, forced, monkeypatch):
    """A worker may die once, whoever trains the run in between; what was trained by force is not deleted again."""
    monkeypatch.setattr(scheduler, "BUSY_DELAY", 0.01)
    monitor = ProgressMonitor(Recorder())
    executor = Scripted(monitor, ends)
    (outcome,) = Scheduler(executor, monitor, lambda: False, force=True).run([small("softmax")])
    assert (outcome.status, outcome.message, executor.forced) == (status, "its end", forced)


def test_whatever_a_run_reports_is_progress_and_passed_on(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(scheduler.time, "monotonic", lambda: now[0])
    observer = Recorder()
    monitor = ProgressMonitor(observer)
    for report in (
        lambda: monitor.note("a"),
        lambda: monitor.started("a", 1, 10, 4),
        lambda: monitor.stepped("a", 1),
        lambda: monitor.finished_epoch("a", epoch_records(1)[0]),
    ):
        report()
        now[0] += 599
        assert monitor.pop_silent() == []
    now[0] += 2
    assert monitor.pop_silent() == ["a"]
    assert monitor.pop_silent() == []
    assert monitor.has_started == {"a"}
    assert (observer.began_at, observer.steps, observer.records) == (4, 1, epoch_records(1))


def test_a_run_that_was_asked_to_stop_is_interrupted_and_not_tried_again():
    monitor = ProgressMonitor(Recorder())
    executor = Scripted(monitor, [Status.INTERRUPTED])
    configs = [small("softmax"), small("center")]
    (outcome,) = Scheduler(executor, monitor, lambda: bool(executor.forced)).run(configs)
    assert (outcome.config, outcome.status) == (configs[0], Status.INTERRUPTED)


def test_three_failures_in_a_row_for_one_reason_end_the_iteration():
    good, *bad = (small("softmax", batch_size=5000 + n) for n in range(4))

    def failed(config, message):
        return Outcome(config, Status.FAILED, None, f"{config.run_name}: {message}")

    with pytest.raises(RunError, match="3 runs in a row failed for the same reason.*full disk"):
        list(stop_after_equal_failures(failed(config, "full disk") for config in bad))
    mixed = [failed(bad[0], "full disk"), failed(bad[1], "full disk"), failed(bad[2], "another")]
    assert list(stop_after_equal_failures(mixed)) == mixed
    done = Outcome(good, Status.DONE, RunResult(run=good.run_name, status=Status.DONE))
    between = [*mixed[:2], done, mixed[0]]
    assert list(stop_after_equal_failures(between)) == between


def test_an_unexpected_error_leaves_its_traceback_in_the_log(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("division by zero in a test")

    monkeypatch.setattr(training, "Trainer", broken)
    config = small("softmax")
    assert statuses([config], tmp_path, ENGINES["in process"]) == [Status.FAILED]
    log = (Store(tmp_path).run(config).path / "log.txt").read_text()
    assert "Traceback" in log
    assert "division by zero in a test" in log


@pytest.mark.parametrize(
    "options, told",
    [
        ({"name": "slurm"}, "Unknown engine 'slurm'"),
        ({"address": "auto"}, "--address is for --engine ray"),
        ({"cpus_per_run": 1}, "--cpus-per-run is for --engine ray"),
        ({"name": "ray", "gpus_per_run": 1.5}, "a part of one GPU, or a whole number"),
        ({"name": "ray", "gpus_per_run": float("inf")}, "a part of one GPU, or a whole number"),
        ({"name": "ray", "gpus_per_run": -1.0}, "a part of one GPU, or a whole number"),
        ({"name": "ray", "gpus_per_run": float("nan")}, "a part of one GPU, or a whole number"),
        ({"name": "ray", "cpus_per_run": 0}, "at least 1"),
    ],
)
def test_engine_options_that_make_no_sense_are_refused(options, told):
    with pytest.raises(UsageError, match=told):
        EngineOptions(**options)


def test_a_cuda_device_on_ray_needs_gpus():
    with pytest.raises(UsageError, match="--device cuda:0 on Ray needs --gpus-per-run"):
        EngineOptions("ray").check_device("cuda:0")
    EngineOptions("ray", gpus_per_run=0.25).check_device("cuda:0")
    EngineOptions("ray").check_device("cpu")
