"""The trials of a study: runs that are evaluated on the validation split, and never open the test files."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ..engines import Train
from ..errors import Diverged, Interrupted, RunError, UsageError
from ..files import file_lock, writing
from ..records import EpochRecord, Observer
from ..runs.measurement import measure_stored
from ..runs.result import RunResult
from ..runs.run_folder import RunFolder
from ..runs.store import Store
from ..training.process import Placement
from .search_space import StudyConfig
from .study import JOURNAL, Study
from .tuning_result import TuningResult, stored_result, study_folder, write_result

if TYPE_CHECKING:
    import optuna

_POLL_INTERVAL = 0.5  # seconds between two checks of the trials of other processes


class TrialWorker(NamedTuple):
    """How trials are run. `stop` is called often; `report` gets a line after each trial."""

    placement: Placement
    observer: Observer
    stop: Callable[[], bool]
    report: Callable[[str], None]
    train: Train


def tune(config: StudyConfig, store: Store, worker: TrialWorker, *, trials: int) -> TuningResult:
    """Run trials until `trials` are finished, whichever process ran them, and store the result.

    A stored result of as many trials whose journal is gone, as in a copy of the JSON file alone, is returned.
    Settings of another search are kept elsewhere, which is reported.
    Raises Interrupted when asked to stop; the same call continues. Raises UsageError without Optuna or where
    everything is fixed, RunError where all trials diverged or nothing can be written.
    """
    folder = study_folder(store, config.default_run, config.loss) / config.name
    if not (folder / JOURNAL).exists():
        stored = stored_result(store, config.default_run, config.loss, config.name)
        if stored is not None and stored.trials >= trials:
            _write(store, stored, worker)
            return stored
    with writing(folder):
        study = Study(config, store, folder)
        run_trials(study, worker, trials=trials)
        with file_lock(folder / ".lock"):
            result = study.result()
            _write(store, result, worker)
        return result


def _write(store: Store, result: TuningResult, worker: TrialWorker) -> None:
    if said := write_result(store, result):
        worker.report(said)


def run_trials(
    study: Study, worker: TrialWorker, *, trials: float = math.inf, deadline: float = math.inf
) -> None:
    """Run trials until `trials` are finished, whichever process ran them, or `time.monotonic()` reaches the
    deadline. A trial that the deadline interrupts is continued by the next call."""

    def out_of_time() -> bool:
        return time.monotonic() >= deadline

    until_deadline = worker._replace(stop=lambda: worker.stop() or out_of_time())
    while True:
        with file_lock(study.folder / ".lock"):  # no process begins a trial beyond the budget
            study.requeue_abandoned()
            finished, running = study.counts()
            if finished >= trials or out_of_time():
                study.remove_runs()
                return
            begun = study.begin_trial() if finished + running < trials and not worker.stop() else None
        if begun is None:
            if worker.stop():
                raise Interrupted("The search was interrupted; the same command continues it.")
            time.sleep(_POLL_INTERVAL)
            continue
        trial, lock = begun
        try:
            outcome = _run_trial(study, trial, until_deadline)
        except Interrupted:
            if worker.stop() or not out_of_time():
                raise
            continue
        finally:
            lock.release()
        worker.report(f"trial {study.counts()[0]}{study.progress_text(trial, trials)}: {outcome}")


class _Pruned(Exception):
    """A trial that ends without a value; the message is `diverged` or `pruned`."""


def _run_trial(study: Study, trial: optuna.Trial, worker: TrialWorker) -> str:
    """Run a trial and tell the study; returns a line about it for the user."""
    from optuna.trial import TrialState

    store = study.trial_store(trial)
    try:
        value = _objective(study, trial, store, worker)
    except _Pruned as reason:
        trial.set_user_attr("given_up", str(reason))
        study.optuna.tell(trial, state=TrialState.PRUNED)
        outcome = str(reason)
    else:
        study.optuna.tell(trial, value)
        outcome = f"{value:.5g}, best {study.optuna.best_value:.5g}"
    shutil.rmtree(store.root, ignore_errors=True)
    return outcome


def _objective(study: Study, trial: optuna.Trial, store: Store, worker: TrialWorker) -> float:
    """The mean over the seeds of a trial's runs. Raises _Pruned, and Interrupted with the runs saved."""
    config, values = study.config, list[float]()
    for number, seed in enumerate(config.seeds):
        run = store.run(config.run_config(trial.params, seed))
        run.unpack(study.store.run(run.config).pack_initial())
        by_epoch = number == 0 and config.metric == "val_accuracy"
        pruner = _Pruner(worker, trial, by_epoch=by_epoch)
        try:
            result = worker.train(
                run.config, store, placement=worker.placement, observer=pruner, stop=pruner.stop
            )
            values.append(_value(result, run, config.metric))
        except Diverged:
            raise _Pruned("diverged") from None
        except Interrupted:
            if not pruner.should_prune:
                raise  # the trial stays open; the next process continues its run
            raise _Pruned("pruned") from None
        except (ValueError, RunError) as error:
            if "features are not finite" not in str(error):  # the weights diverged in the last step
                raise
            raise _Pruned("diverged") from None
        trial.set_user_attr("values", values)
        trial.report(sum(values) / len(values), run.config.epochs + 1 + number)
        if number + 1 < len(config.seeds) and trial.should_prune():
            raise _Pruned("pruned")
    return sum(values) / len(values)


def _value(result: RunResult, run: RunFolder, metric: str) -> float:
    value = result.numbers.get(metric)
    if value is None:
        value = measure_stored(run, [metric])[metric]
    if value is None:
        raise UsageError(f"--metric {metric} is not defined for {run.config.title}.")
    if not math.isfinite(value):
        raise Diverged(f"{run.name} has no finite {metric}.")  # for example where two class means coincide
    return value


class _Pruner:
    """Passes progress on, and asks Optuna after each epoch whether to prune the trial."""

    def __init__(self, worker: TrialWorker, trial: optuna.Trial, *, by_epoch: bool) -> None:
        self.worker, self.trial, self.by_epoch = worker, trial, by_epoch
        self.started, self.stepped = worker.observer.started, worker.observer.stepped
        self.should_prune = False

    def stop(self) -> bool:
        return self.should_prune or self.worker.stop()

    def finished_epoch(self, run: str, record: EpochRecord) -> None:
        self.worker.observer.finished_epoch(run, record)
        if self.by_epoch:
            self.trial.report(record.val_accuracy, record.epoch)
            self.should_prune = self.trial.should_prune()
