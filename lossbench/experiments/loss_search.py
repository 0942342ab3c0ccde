"""Which loss for these data: a search over several losses and their settings together, within a time.

Every loss begins at its defaults; then Optuna proposes losses and settings. Successive halving (Jamieson,
Talwalkar, AISTATS 2016; Li et al., MLSys 2020) lets the best third of the trials continue, first over
epochs, then over seeds. So only good trials finish, with a value for every seed on the validation split.

    results/tuned/<dataset>/<network>/several-losses/<search>/  journal, locks, runs of trials in progress
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import RunError, UsageError
from ..files import file_lock, writing
from ..runs.config import RunConfig
from ..runs.store import Store
from ..specs import Value
from ..statistics import Interval, mean_interval
from .search_space import SeveralLosses, StudyConfig, point_of_loss
from .study import Study, tuning_result
from .trials import TrialWorker, run_trials
from .tuning_result import describe_search, read_result, result_path, tuned_folder, write_result

if TYPE_CHECKING:
    import optuna
    from optuna.pruners import BasePruner

BEST, TIED, WORSE = "best", "not distinguishable from the best", "worse than the best"
STOPPED, DIVERGED, UNTRIED = "stopped early", "diverged", "not tried"


class LossOutcome(NamedTuple):
    """What a search found for a loss.

    value: the metric at its best point, a mean over the seeds on the validation split; of trials that were
    stopped early, the last value of the best of them. difference: from the best loss, over the seeds.
    """

    loss: str
    verdict: str
    value: float | None
    difference: Interval | None
    point: dict[str, Value]
    trials: int
    complete: int


class SearchResult(NamedTuple):
    """The outcomes of all losses, the best first. config: the run of the first loss at its defaults."""

    config: RunConfig
    study: str
    metric: str
    seeds: tuple[int, ...]
    trials: int
    outcomes: Sequence[LossOutcome]

    @property
    def candidates(self) -> list[str]:
        """The best loss, and those not distinguishable from it."""
        return [each.loss for each in self.outcomes if each.verdict in (BEST, TIED)]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        losses = [
            each._asdict() | {"difference": each.difference and each.difference._asdict()}
            for each in self.outcomes
        ]
        data = {**self._asdict(), "seeds": list(self.seeds), "losses": losses, "candidates": self.candidates}
        del data["outcomes"], data["config"]
        return data


class LossSearch(Study):
    """The Optuna study of several losses."""

    config: SeveralLosses

    def pruner(self) -> BasePruner:
        """Asynchronous successive halving: after 1, 3, 9 ... epochs and seeds a third of the trials
        continues, and those within the standard error of the best."""
        from optuna.pruners import BasePruner, SuccessiveHalvingPruner

        halving = SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)
        search = self

        class HalvingBeyondNoise(BasePruner):
            def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
                return halving.prune(study, trial) and search.is_beyond_noise(study, trial)

        return HalvingBeyondNoise()

    def is_beyond_noise(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        """Whether the last value of a trial is farther from the best at that step than validation images can
        scatter: a standard error of a difference of two accuracies. Always for any other metric."""
        step = trial.last_step
        courses = (each.intermediate_values for each in study.get_trials(deepcopy=False))
        values = [course[step] for course in courses if step in course and math.isfinite(course[step])]
        if self.config.metric != "val_accuracy" or step is None or not values:
            return True
        last, best = trial.intermediate_values[step], max(values)
        variances = [value * (1 - value) / self.config.default_run.val_size for value in (last, best)]
        return best - last > math.sqrt(sum(variances))

    def progress_text(self, trial: optuna.Trial, trials: float) -> str:  # noqa: ARG002
        """The loss of a trial."""
        return f", {trial.params['loss']}"

    def trials_of(self, loss: str) -> list[optuna.trial.FrozenTrial]:
        """The finished trials of a loss."""
        return [trial for trial in self.finished() if trial.params.get("loss") == loss]

    def outcome(self) -> SearchResult:
        """What was found for every loss. Raises RunError where no trial came to an end."""
        best_of = max if self.config.direction == "maximize" else min
        complete = [trial for trial in self.finished() if trial.state.name == "COMPLETE"]
        if not complete:
            raise RunError("No trial finished; the same command with a larger --budget continues from here.")
        best = best_of(complete, key=_value)
        outcomes = [self._outcome_of(each, best) for each in self.config.studies]
        sign = -1 if best_of is max else 1
        order = (BEST, TIED, WORSE, STOPPED, DIVERGED, UNTRIED)
        outcomes.sort(key=lambda each: (order.index(each.verdict), sign * (each.value or 0.0), each.loss))
        number = len(self.finished())
        config = self.config
        return SearchResult(config.default_run, config.name, config.metric, config.seeds, number, outcomes)

    def _outcome_of(self, config: StudyConfig, best: optuna.trial.FrozenTrial) -> LossOutcome:
        best_of = max if self.config.direction == "maximize" else min
        trials = self.trials_of(config.loss)
        complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
        started = [trial for trial in trials if trial.intermediate_values]
        counts = len(trials), len(complete)
        if not complete:
            verdict = STOPPED if started else DIVERGED if trials else UNTRIED
            last = [trial.intermediate_values[max(trial.intermediate_values)] for trial in started]
            return LossOutcome(config.loss, verdict, best_of(last, default=None), None, {}, *counts)
        best_of_loss = best_of(complete, key=_value)
        pairs = zip(best_of_loss.user_attrs["values"], best.user_attrs["values"], strict=True)
        difference = mean_interval([value - other for value, other in pairs])
        differs = abs(difference.mean) > difference.half_width  # never with one seed: its half width is NaN
        verdict = BEST if best_of_loss.number == best.number else WORSE if differs else TIED
        point = {**config.fixed_parameters(), **point_of_loss(best_of_loss.params)}
        return LossOutcome(config.loss, verdict, best_of_loss.value, difference, point, *counts)


def _value(trial: optuna.trial.FrozenTrial) -> float:
    assert trial.value is not None
    return trial.value


def search_losses(
    config: SeveralLosses, store: Store, worker: TrialWorker, *, deadline: float
) -> SearchResult:
    """Search until `time.monotonic()` is at the deadline, and store the settings of each loss that came to an
    end, unless stored ones are from more trials. The same call continues. Otherwise like `trials.tune`."""
    _check_files(store, config)
    run = config.default_run
    folder = tuned_folder(store, run.dataset, run.network) / "several-losses" / config.name
    with writing(folder):
        study = LossSearch(config, store, folder)
        run_trials(study, worker, deadline=deadline)
        with file_lock(folder / ".lock"):
            result = study.outcome()
            for each in config.studies:
                trials = study.trials_of(each.loss)
                ended = any(trial.state.name == "COMPLETE" for trial in trials)
                if ended and (said := _store(store, each, config.name, trials)):
                    worker.report(said)
        return result


def _check_files(store: Store, config: SeveralLosses) -> None:
    """Raise UsageError for two losses whose settings would be written to the same file."""
    losses: dict[Path, str] = {}
    for each in config.studies:
        first = losses.setdefault(path := result_path(store, each.default_run, each.loss), each.loss)
        if first != each.loss:
            raise UsageError(
                f"--losses {first},{each.loss}: the settings of both would be in {path}; search one of them, "
                "or each with a --results of its own."
            )


def _store(store: Store, config: StudyConfig, study: str, trials: Sequence[optuna.trial.FrozenTrial]) -> str:
    """Store the settings of a loss. Returns a sentence on those of another search, else ''."""
    result = tuning_result(config, study, trials, point_of_loss)
    with contextlib.suppress(UsageError, RunError):  # none, or one that cannot be used
        before = read_result(store, config.default_run, config.loss)
        if before.trials > result.trials and before.study != study:
            place = result_path(store, config.default_run, config.loss).relative_to(store.root)
            return f"{place} stays that of another {describe_search(before)}, which had more trials."
    return write_result(store, result)
