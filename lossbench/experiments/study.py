"""Search of a loss's settings on the validation split, with an equal budget for every loss.

Optuna proposes (tree-structured Parzen estimator, Bergstra et al. 2011), starting from the defaults; the
objective is the mean over seeds. Trials are runs judged on val: they never open the test files. The study
is a journal file, so it survives any death of a process, and several processes or machines can work on it.

    results/tuned/<dataset>/<network>/<loss>.json      what was found, with budget and curve
                                      <loss>/<study>/  journal, locks, and the runs of trials in progress
"""

from __future__ import annotations

import contextlib
import math
import re
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from ..errors import Diverged, Interrupted, RunError, UsageError
from ..files import read_json, to_json, write_atomically
from ..protocols import Observer
from ..records import EpochRecord
from ..runs.config import RunConfig
from ..runs.config_builder import config_from_dict
from ..runs.measurement import measure_stored
from ..runs.result import RunResult
from ..runs.store import RunFolder, Store
from ..training.process import Placement
from ..training.train import train
from .search_space import OVER, Search, distributions, is_found, open_study, space, summary

if TYPE_CHECKING:
    import optuna

_STARTUP = 8  # trials before the estimator proposes and the pruner judges
_KEPT = 75.0  # percent: a trial that is among the worst quarter at some moment is given up
_WAIT = 0.5  # seconds between two looks at the trials of other processes


def folder_of(store: Store, config: RunConfig) -> Path:
    """Where the searches of a config's loss lie; its JSON beside it has the same name."""
    slug = re.sub(r"[^a-z0-9+-]+", "-", config.loss.lower()).strip("-")[:60]
    return store.root / "tuned" / config.dataset / config.network / slug


def tune(
    search: Search,
    store: Store,
    *,
    trials: int,
    placement: Placement,
    observer: Observer,
    stop: Callable[[], bool],
    report: Callable[[str], None],
    engine: Callable[..., RunResult] | None = None,
) -> dict[str, Any]:
    """Work until `trials` trials are over, whoever ran them, and store what was found.

    `engine` trains a run elsewhere, with the arguments and errors of `running.train`, which does it here.

    Raises Interrupted when asked to stop; the same call goes on from there. Raises UsageError without Optuna
    or where nothing is left to search, RunError where every trial diverged or nothing can be written.
    """
    home = folder_of(store, search.base)
    folder = home / search.name
    with _named_errors(folder):
        study = open_study(search, folder)
        while True:
            with FileLock(folder / ".lock"):  # so that nobody begins a trial beyond the budget
                _free_the_dead(study, search, folder)
                over, running = _counts(study)
                if over >= trials:
                    _tidy(study, folder)
                    found = summary(study, search)
                    write_atomically(home.with_suffix(".json"), to_json(found).encode())
                    return found
                begun = _begin(study, search, folder) if over + running < trials and not stop() else None
            if begun is None:
                if stop():
                    raise Interrupted("The search was interrupted; the same command continues it.")
                time.sleep(_WAIT)
                continue
            trial, own = begun
            try:
                outcome = _run_trial(study, trial, search, folder, placement, observer, stop, engine or train)
            finally:
                own.release()
            report(f"trial {_counts(study)[0]} of {trials}: {outcome}")


@contextlib.contextmanager
def _named_errors(folder: Path) -> Iterator[None]:
    """What the operating system refuses below the folder, as one sentence."""
    try:
        yield
    except OSError as error:
        raise RunError(f"{folder} cannot be written: {error.strerror or error}.") from None


def _counts(study: optuna.Study) -> tuple[int, int]:
    """Trials that are over (complete or given up) and trials that run."""
    names = [trial.state.name for trial in study.get_trials(deepcopy=False)]
    return sum(name in OVER for name in names), names.count("RUNNING")


def _begin(study: optuna.Study, search: Search, folder: Path) -> tuple[optuna.Trial, FileLock]:
    """The next trial, with the lock that says that its process lives."""
    import optuna

    # a seed of its own for each proposal: processes do not draw the same points, and a search that was
    # interrupted goes on as if it had not been
    number = sum(_counts(study))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.sampler = optuna.samplers.TPESampler(n_startup_trials=_STARTUP, seed=number, constant_liar=True)
    study.pruner = optuna.pruners.PercentilePruner(_KEPT, n_startup_trials=_STARTUP)
    trial = study.ask(distributions(search))
    own = FileLock(folder / f"trial-{trial.number}.lock")
    own.acquire()
    return trial, own


def _origin(trial: optuna.Trial | optuna.trial.FrozenTrial) -> int:
    """The number of the trial that began the runs which this one continues; its own, if it is the first."""
    return int(trial.user_attrs.get("continues", trial.number))


def _free_the_dead(study: optuna.Study, search: Search, folder: Path) -> None:
    """Trials whose process is gone are tried again; the runs that they began are continued."""
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    for trial in trials:
        if trial.state != TrialState.RUNNING:
            continue
        lock = FileLock(folder / f"trial-{trial.number}.lock", timeout=0)
        with contextlib.suppress(Timeout), lock:
            whole = set(trial.params) == set(space(search))  # else it died while it was proposed
            point = trial.params if whole else trial.system_attrs.get("fixed_params")
            # the successor first, and only one: whoever does this may die here as well
            if point and all(_origin(later) != _origin(trial) for later in trials[trial.number + 1 :]):
                study.enqueue_trial(point, user_attrs={"continues": _origin(trial)})
            study.tell(trial.number, state=TrialState.FAIL)


def _tidy(study: optuna.Study, folder: Path) -> None:
    """Remove the runs of trials that are over, where a process died before it could."""
    waiting = {_origin(t) for t in study.get_trials(deepcopy=False) if t.state.name in ("RUNNING", "WAITING")}
    for path in folder.glob("trial-*[0-9]"):
        if int(path.name.rpartition("-")[2]) not in waiting:
            shutil.rmtree(path, ignore_errors=True)


class _GivenUp(Exception):
    """A trial that ends without a value; says why in one word."""


def _run_trial(
    study: optuna.Study,
    trial: optuna.Trial,
    search: Search,
    folder: Path,
    placement: Placement,
    observer: Observer,
    stop: Callable[[], bool],
    engine: Callable[..., RunResult],
) -> str:
    """Run a trial and tell the study; how it went, in words."""
    from optuna.trial import TrialState

    store = Store(folder / f"trial-{_origin(trial)}")  # of its own: another trial may have the same runs
    try:
        value = _objective(trial, search, store, placement, observer, stop, engine)
    except _GivenUp as reason:
        trial.set_user_attr("given_up", str(reason))
        study.tell(trial, state=TrialState.PRUNED)
        outcome = str(reason)
    else:
        study.tell(trial, value)
        outcome = f"{value:.5g}, best {study.best_value:.5g}"
    shutil.rmtree(store.root, ignore_errors=True)
    return outcome


def _objective(
    trial: optuna.Trial,
    search: Search,
    store: Store,
    placement: Placement,
    observer: Observer,
    stop: Callable[[], bool],
    engine: Callable[..., RunResult],
) -> float:
    """The mean over the seeds of a trial's runs. Raises _GivenUp, and Interrupted with the runs saved."""
    values: list[float] = []
    for number, seed in enumerate(search.seeds):
        run = store.run(search.config(trial.params, seed))
        watch = _Watch(observer, trial, stop, by_epoch=number == 0 and search.metric == "val_accuracy")
        try:
            result = engine(run.config, store, placement=placement, observer=watch, stop=watch.stop)
            values.append(_value(result, run, search.metric))
        except Diverged:
            raise _GivenUp("diverged") from None
        except Interrupted:
            if not watch.hopeless:
                raise  # the trial stays open, and whoever comes next continues its run
            raise _GivenUp("hopeless") from None
        except (ValueError, RunError) as error:
            if "features are not finite" not in str(error):  # what a last step too far leaves
                raise
            raise _GivenUp("diverged") from None
        trial.report(sum(values) / len(values), run.config.epochs + 1 + number)
        if number + 1 < len(search.seeds) and trial.should_prune():
            raise _GivenUp("hopeless")
    return sum(values) / len(values)


def _value(result: RunResult, run: RunFolder, metric: str) -> float:
    found = result.numbers.get(metric)
    if found is None:
        found = measure_stored(run, [metric])[metric]
    if found is None:
        raise UsageError(f"--metric {metric} is not defined for {run.config.title}.")
    if not math.isfinite(found):
        raise Diverged(f"{run.name} has no finite {metric}.")  # for example where two class means coincide
    return found


class _Watch:
    """Passes progress on, and asks after each epoch whether the trial is hopeless."""

    def __init__(
        self, observer: Observer, trial: optuna.Trial, asked: Callable[[], bool], *, by_epoch: bool
    ) -> None:
        self.observer, self.trial, self.asked, self.by_epoch = observer, trial, asked, by_epoch
        self.hopeless = False

    def stop(self) -> bool:
        return self.hopeless or self.asked()

    def started(self, run: str, epochs: int, steps: int, done: int) -> None:
        self.observer.started(run, epochs, steps, done)

    def stepped(self, run: str, steps: int) -> None:
        self.observer.stepped(run, steps)

    def finished_epoch(self, run: str, record: EpochRecord) -> None:
        self.observer.finished_epoch(run, record)
        if self.by_epoch:
            self.trial.report(record.val_accuracy, record.epoch)
            self.hopeless = self.trial.should_prune()


def all_tuned(store: Store, dataset: str, network: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Everything found on a data set with a network, by loss, and a sentence for each unreadable file."""
    found, problems = [], []
    for path in sorted((store.root / "tuned" / dataset / network).glob("*.json")):
        try:
            found.append(_read(path))
        except RunError as error:
            problems.append(str(error))
    return found, problems


def load_tuned(store: Store, config: RunConfig) -> dict[str, Any]:
    """What a search of this loss, data set and network found.

    Raises UsageError where there was none, or one of another sum of the same losses, RunError for a file
    that was cut or changed by hand.
    """
    path = folder_of(store, config).with_suffix(".json")
    if not path.exists():
        raise UsageError(
            f"{path} is not there; `lossbench tune --loss {config.loss} --dataset {config.dataset} "
            f"--network {config.network}` makes it."
        )
    found = _read(path)
    searched = config_from_dict(found["config"])
    weights = [[(t.name, t.weight) for t in each.terms] for each in (searched, config)]
    if "lambda" not in found["point"] and weights[0] != weights[1]:
        raise UsageError(f"{path} is a search of {found['loss']}, whose weights are others.")
    return found


def _read(path: Path) -> dict[str, Any]:
    data = read_json(path)
    if not is_found(data):
        raise RunError(f"{path} is no result of tuning, of another format, or was changed by hand.")
    found: dict[str, Any] = data
    return found
