"""Tuning: a study of a loss's parameters on the validation split, with an equal budget for every loss.

Optuna proposes points (tree-structured Parzen estimator, Bergstra et al. 2011), beginning with the defaults;
the objective is the mean over seeds, see `trials`. The study is a journal file, so it survives when any
process is killed, and several processes or machines can work on it.

    results/tuned/<dataset>/<network>/<loss>/<study>/  journal, locks, and the runs of trials in progress
"""

from __future__ import annotations

import contextlib
import shutil
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from ..errors import RunError, UsageError
from ..files import file_lock
from ..runs.store import Store
from ..specs import Value
from ..tables import counted
from ._journal import open_journal
from .search_space import SeveralLosses, StudyConfig
from .tuning_result import TuningResult

if TYPE_CHECKING:
    import optuna
    from optuna.pruners import BasePruner

JOURNAL = "journal.log"
"""The file of a study in its folder."""
_STARTUP_TRIALS = 8  # before the estimator proposes points and trials are pruned
_PRUNING_PERCENTILE = 75.0  # a trial is pruned when its intermediate value is in the worst quarter
_FINISHED = ("COMPLETE", "PRUNED")  # the states of trials that count


class Study:
    """The Optuna study of a config in its journal; its first trial is the default point."""

    def __init__(self, config: StudyConfig | SeveralLosses, store: Store, folder: Path) -> None:
        try:
            import optuna
        except ImportError:
            raise UsageError("Tuning needs Optuna: pip install 'lossbench[tune]'.") from None
        self.config, self.store, self.folder = config, store, folder
        _ = config.direction  # a metric without one is refused before anything is written
        default_points = config.default_points()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        folder.mkdir(parents=True, exist_ok=True)
        with file_lock(folder / ".lock"):
            self.optuna = open_journal(folder / JOURNAL, config)
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

    def progress_text(self, trial: optuna.Trial, trials: float) -> str:  # noqa: ARG002 (for subclasses)
        """The text after the number of a finished trial."""
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
        raise RunError(
            f"No trial of {config.loss} came to an end: {counted(len(finished), 'trial')} diverged."
        )
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


def _origin(trial: optuna.Trial | optuna.trial.FrozenTrial) -> int:
    """The number of the trial that began the runs which this one continues; its own, if it is the first."""
    return int(trial.user_attrs.get("continues", trial.number))
