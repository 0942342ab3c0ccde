"""The trials of a study: runs that are evaluated on the validation split, and never open the test files."""

from __future__ import annotations

import contextlib
import functools
import math
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import Diverged, Interrupted, RunError, UsageError
from ..files import file_lock
from ..records import EpochRecord, Observer
from ..runs.measurement import measure_stored
from ..runs.result import RunResult
from ..runs.run_folder import RunFolder
from ..runs.store import Store
from ..training.process import Placement
from .search_space import StudyConfig
from .study import Study
from .tuning_result import TuningResult, study_folder, write_result

if TYPE_CHECKING:
    import optuna

_POLL_INTERVAL = 0.5  # seconds between two looks at the trials of other processes

Train = Callable[..., RunResult]


def tune(
    config: StudyConfig,
    store: Store,
    *,
    trials: int,
    placement: Placement,
    observer: Observer,
    stop: Callable[[], bool],
    report: Callable[[str], None],
    train: Train,
) -> TuningResult:
    """Work until `trials` trials are finished, whichever process ran them, and store the result.

    `train` trains one run, with the arguments and errors of `training.train.train`. `report` gets a line
    after each trial. Raises Interrupted when asked to stop; the same call continues. Raises UsageError
    without Optuna or where everything is fixed, RunError where all trials diverged or nothing can be written.
    """
    folder = study_folder(store, config.default_run) / config.name
    train = functools.partial(train, placement=placement)
    with os_error_as_run_error(folder):
        study = Study(config, store, folder)
        run_trials(study, trials=trials, observer=observer, stop=stop, report=report, train=train)
        with file_lock(folder / ".lock"):
            result = study.result()
            write_result(store, result)
        return result


def run_trials(
    study: Study,
    *,
    trials: float = math.inf,
    deadline: float = math.inf,
    observer: Observer,
    stop: Callable[[], bool],
    report: Callable[[str], None],
    train: Train,
) -> None:
    """Run trials until so many are finished, whichever process ran them, or `time.monotonic()` is at the
    deadline. A trial that the deadline interrupts is continued by the next call."""

    def out_of_time() -> bool:
        return time.monotonic() >= deadline

    while True:
        with file_lock(study.folder / ".lock"):  # no process begins a trial beyond the budget
            study.requeue_abandoned()
            finished, running = study.counts()
            if finished >= trials or out_of_time():
                study.remove_runs()
                return
            begun = study.begin_trial() if finished + running < trials and not stop() else None
        if begun is None:
            if stop():
                raise Interrupted("The search was interrupted; the same command continues it.")
            time.sleep(_POLL_INTERVAL)
            continue
        trial, lock = begun
        try:
            outcome = _run_trial(study, trial, observer, lambda: stop() or out_of_time(), train)
        except Interrupted:
            if stop() or not out_of_time():
                raise
            continue
        finally:
            lock.release()
        report(f"trial {study.counts()[0]}{study.progress_text(trial, trials)}: {outcome}")


@contextlib.contextmanager
def os_error_as_run_error(folder: Path) -> Iterator[None]:
    """Turns an OSError inside the block into a RunError that names the folder of the study."""
    try:
        yield
    except OSError as error:
        raise RunError(f"{folder} cannot be written: {error.strerror or error}.") from None


class _Pruned(Exception):
    """A trial that ends without a value; the message is `diverged` or `pruned`."""


def _run_trial(
    study: Study, trial: optuna.Trial, observer: Observer, stop: Callable[[], bool], train: Train
) -> str:
    """Run a trial and tell the study; returns what the user reads about it."""
    from optuna.trial import TrialState

    store = study.trial_store(trial)
    try:
        value = _objective(study, trial, store, observer, stop, train)
    except _Pruned as reason:
        trial.set_user_attr("given_up", str(reason))
        study.optuna.tell(trial, state=TrialState.PRUNED)
        outcome = str(reason)
    else:
        study.optuna.tell(trial, value)
        outcome = f"{value:.5g}, best {study.optuna.best_value:.5g}"
    shutil.rmtree(store.root, ignore_errors=True)
    return outcome


def _objective(
    study: Study,
    trial: optuna.Trial,
    store: Store,
    observer: Observer,
    stop: Callable[[], bool],
    train: Train,
) -> float:
    """The mean over the seeds of a trial's runs. Raises _Pruned, and Interrupted with the runs saved."""
    config, values = study.config, list[float]()
    for number, seed in enumerate(config.seeds):
        run = store.run(config.run_config(trial.params, seed))
        run.unpack(study.store.run(run.config).pack_initial())
        by_epoch = number == 0 and config.metric == "val_accuracy"
        pruner = _Pruner(observer, trial, stop, by_epoch=by_epoch)
        try:
            result = train(run.config, store, observer=pruner, stop=pruner.stop)
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

    def __init__(
        self, observer: Observer, trial: optuna.Trial, stop: Callable[[], bool], *, by_epoch: bool
    ) -> None:
        self.observer, self.trial, self.stop_requested, self.by_epoch = observer, trial, stop, by_epoch
        self.started, self.stepped = observer.started, observer.stepped
        self.should_prune = False

    def stop(self) -> bool:
        return self.should_prune or self.stop_requested()

    def finished_epoch(self, run: str, record: EpochRecord) -> None:
        self.observer.finished_epoch(run, record)
        if self.by_epoch:
            self.trial.report(record.val_accuracy, record.epoch)
            self.should_prune = self.trial.should_prune()
