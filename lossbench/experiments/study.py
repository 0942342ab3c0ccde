"""Tuning: a study of a loss's parameters on the validation split, with an equal budget for every loss.

Optuna proposes points (tree-structured Parzen estimator, Bergstra et al. 2011), beginning with the defaults;
the objective is the mean over seeds. Trials are runs evaluated on val: they never open the test files. The
study is a journal file, so it survives the death of any process, and several processes or machines can work
on it.

    results/tuned/<dataset>/<network>/<loss>/<study>/  journal, locks, and the runs of trials in progress
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from ..errors import Diverged, Interrupted, RunError, UsageError
from ..files import file_lock
from ..records import EpochRecord, Observer
from ..runs.measurement import measure_stored
from ..runs.result import RunResult
from ..runs.store import RunFolder, Store
from ..specs import Value
from ..training.process import Placement
from .search_space import SeveralLosses, StudyConfig
from .tuning_result import TuningResult, study_folder, write_result

if TYPE_CHECKING:
    import optuna
    from optuna.pruners import BasePruner

_STARTUP_TRIALS = 8  # before the estimator proposes points and trials are pruned
_PRUNING_PERCENTILE = 75.0  # a trial is pruned when its intermediate value is in the worst quarter
_POLL_INTERVAL = 0.5  # seconds between two looks at the trials of other processes
_FINISHED = ("COMPLETE", "PRUNED")  # the states of trials that count

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
    with sentence_for_os_errors(folder):
        study = Study(config, folder)
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
        report(f"trial {study.counts()[0]}{study.words(trial, trials)}: {outcome}")


class Study:
    """The Optuna study of a config in its journal, begun with the default point as its first trial."""

    def __init__(self, config: StudyConfig | SeveralLosses, folder: Path) -> None:
        try:
            import optuna
        except ImportError:
            raise UsageError("Tuning needs Optuna: pip install 'lossbench[tune]'.") from None
        self.config, self.folder = config, folder
        _ = config.direction  # a metric without one is refused before anything is written
        default_points = config.default_points()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        folder.mkdir(parents=True, exist_ok=True)
        with file_lock(folder / ".lock"):
            self.optuna = _open_journal(folder / "journal.log", config)
            if not self.trials():
                for point in default_points:
                    self.optuna.enqueue_trial(point)

    def trials(self) -> list[optuna.trial.FrozenTrial]:
        """All trials, in the order in which they were created."""
        return self.optuna.get_trials(deepcopy=False)

    def counts(self) -> tuple[int, int]:
        """Trials that are finished (complete or pruned) and trials that run."""
        states = [trial.state.name for trial in self.trials()]
        return sum(state in _FINISHED for state in states), states.count("RUNNING")

    def begin_trial(self) -> tuple[optuna.Trial, FileLock]:
        """The next trial, and the lock that its process holds as long as it lives."""
        from optuna.exceptions import ExperimentalWarning
        from optuna.samplers import TPESampler

        # each proposal has a seed of its own: processes do not draw the same points, and a study that was
        # interrupted continues as if it had not been
        seed = sum(self.counts())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            self.optuna.sampler = TPESampler(n_startup_trials=_STARTUP_TRIALS, seed=seed, constant_liar=True)
        self.optuna.pruner = self.pruner()
        trial = self.optuna.ask()
        self.config.suggest(trial)
        lock = self._trial_lock(trial.number)
        lock.acquire()
        return trial, lock

    def pruner(self) -> BasePruner:
        """What stops poor trials early."""
        from optuna.pruners import PercentilePruner

        return PercentilePruner(_PRUNING_PERCENTILE, n_startup_trials=_STARTUP_TRIALS)

    def words(self, trial: optuna.Trial, trials: float) -> str:  # noqa: ARG002 (for subclasses)
        """What stands after the number of a finished trial."""
        return f" of {trials}"

    def requeue_abandoned(self) -> None:
        """Enqueue again the trials whose process is gone; the runs that they began are continued."""
        from optuna.trial import TrialState

        trials = self.trials()
        for trial in trials:
            if trial.state != TrialState.RUNNING:
                continue
            with contextlib.suppress(Timeout), self._trial_lock(trial.number):
                is_proposed = self.config.is_point(trial.params)  # else it died before that
                point = trial.params if is_proposed else trial.system_attrs.get("fixed_params")
                # the successor first, and only one: this process may die here as well
                if point and all(_origin(t) != _origin(trial) for t in trials[trial.number + 1 :]):
                    self.optuna.enqueue_trial(point, user_attrs={"continues": _origin(trial)})
                self.optuna.tell(trial.number, state=TrialState.FAIL)

    def trial_store(self, trial: optuna.Trial) -> Store:
        """The store of a trial's runs; another trial may have runs of the same names."""
        return Store(self.folder / f"trial-{_origin(trial)}")

    def remove_runs(self) -> None:
        """Remove the runs of finished trials, where a process died before it did."""
        open_trials = {_origin(t) for t in self.trials() if t.state.name in ("RUNNING", "WAITING")}
        for path in self.folder.glob("trial-*[0-9]"):
            if int(path.name.rpartition("-")[2]) not in open_trials:
                shutil.rmtree(path, ignore_errors=True)

    def result(self) -> TuningResult:
        """The best point of the finished trials. Raises RunError where all of them diverged."""
        assert isinstance(self.config, StudyConfig)
        return tuning_result(self.config, self.config.name, self.finished(), lambda point: point)

    def finished(self) -> list[optuna.trial.FrozenTrial]:
        """The trials that count, in the order in which they ended."""
        finished = [trial for trial in self.trials() if trial.state.name in _FINISHED]
        return sorted(finished, key=lambda trial: (str(trial.datetime_complete), trial.number))

    def _trial_lock(self, number: int) -> FileLock:
        return file_lock(self.folder / f"trial-{number}.lock", timeout=0)


def tuning_result(
    config: StudyConfig,
    study: str,
    finished: Sequence[optuna.trial.FrozenTrial],
    point_of: Callable[[dict[str, Value]], dict[str, Value]],
) -> TuningResult:
    """The best point of the finished trials of a loss; `point_of` maps the parameters of a trial to a point.

    Raises RunError where none came to an end.
    """
    complete = [trial for trial in finished if trial.state.name == "COMPLETE"]
    if not complete:
        raise RunError(f"None of {len(finished)} trials of {config.loss} came to an end: they all diverged.")
    best_of = max if config.direction == "maximize" else min
    values = [trial.value if trial.state.name == "COMPLETE" else None for trial in finished]
    first_values = (values[:count] for count in range(1, len(values) + 1))
    best = best_of(sorted(complete, key=lambda trial: trial.number), key=lambda trial: trial.value or 0.0)
    defaults = [trial.value for trial in complete if point_of(trial.params) == config.default_point()]
    diverged = sum(trial.user_attrs.get("given_up") == "diverged" for trial in finished)
    assert best.value is not None
    return TuningResult(
        loss=config.loss,
        study=study,
        point={**config.fixed_parameters(), **point_of(best.params)},
        value=best.value,
        default_value=defaults[0] if defaults else None,
        metric=config.metric,
        seeds=list(config.seeds),
        trials=len(finished),
        diverged=diverged,
        pruned=len(finished) - len(complete) - diverged,
        space=config.space(),
        values=values,
        curve=[best_of((v for v in some if v is not None), default=None) for some in first_values],
        config=config.default_run,
    )


class _JournalLock:
    """Gives the journal one writer at a time, in the interface that Optuna asks for.

    The operating system frees it when its owner dies. A line that was half written then is cut off: the next
    one would be appended to it, and the journal could not be read again.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.lock = path, file_lock(path.with_name(f"{path.name}.lock"))

    def acquire(self) -> bool:
        self.lock.acquire()
        content = self.path.read_bytes()
        if not content.endswith(b"\n"):
            os.truncate(self.path, content.rfind(b"\n") + 1)
        return True

    def release(self) -> None:
        self.lock.release()


def _open_journal(path: Path, config: StudyConfig | SeveralLosses) -> optuna.Study:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    try:
        lock: Any = _JournalLock(path)
        storage = JournalStorage(JournalFileBackend(str(path), lock_obj=lock))
        study = optuna.create_study(
            storage=storage, study_name=config.name, direction=config.direction, load_if_exists=True
        )
        study.get_trials(deepcopy=False)
    except OSError:
        raise
    except Exception as error:  # an altered line fails in as many ways as there are entries
        raise RunError(f"{path} cannot be read ({error}); removed, the search begins anew.") from None
    return study


def _origin(trial: optuna.Trial | optuna.trial.FrozenTrial) -> int:
    """The number of the trial that began the runs which this one continues; its own, if it is the first."""
    return int(trial.user_attrs.get("continues", trial.number))


@contextlib.contextmanager
def sentence_for_os_errors(folder: Path) -> Iterator[None]:
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
        value = _objective(study.config, trial, store, observer, stop, train)
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
    config: StudyConfig | SeveralLosses,
    trial: optuna.Trial,
    store: Store,
    observer: Observer,
    stop: Callable[[], bool],
    train: Train,
) -> float:
    """The mean over the seeds of a trial's runs. Raises _Pruned, and Interrupted with the runs saved."""
    values: list[float] = []
    for number, seed in enumerate(config.seeds):
        run = store.run(config.run_config(trial.params, seed))
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
