"""What the commands that train share: training runs with one display, and their outcomes."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..engines import estimate, run_all
from ..errors import Interrupted, LossbenchError, RunError, UsageError
from ..experiments.grid import Axes, expand
from ..runs.config import RunConfig
from ..runs.config_builder import warnings_of
from ..runs.outcome import STORED, Outcome
from ..runs.result import Status
from ..runs.run_folder import RunFolder
from ..runs.store import Store
from ..specs import catalog
from ..specs.quantities import UNSEEN, format_value
from ..tables import counted
from ..training.device import cores
from ..training.process import StopRequest
from ._options import Request, Storage
from ._output import print_message, print_warning
from ._progress import RunDisplay, duration_text, wait_for_metrics

if TYPE_CHECKING:
    from pathlib import Path

    from ..engines import Estimate
    from ..reports.experiment import Comparison, Sweep
    from ..reports.tensorboard import Tracker
    from ..training.process import Placement

_MEASURED_AT_ONCE = 4  # runs: the distances of each take some 300 MB


def run_configs(
    configs: Sequence[RunConfig],
    request: Request,
    storage: Storage,
    *,
    jobs: int | None,
    metrics: Mapping[RunConfig, Collection[str]] = MappingProxyType({}),
) -> list[Outcome]:
    """The outcomes in the order of the configs. Raises Interrupted when asked to stop.

    jobs: runs at a time; 0 is as many as fit, None too, unless all runs take less than 20 seconds.
    metrics: of each run, measured afterwards; their time is estimated, too.
    """
    for warning in dict.fromkeys(text for config in configs for text in warnings_of(config)):
        print_warning(warning)
    Store(storage.results).check_folder()  # before runs are timed
    if any(config.in_script for config in configs):
        jobs = without_workers(jobs, request)
    store = Store(storage.results.absolute())  # user code may change the working folder
    placement = request.placement._replace(snapshots=storage.snapshots)
    expected = estimate(
        configs,
        store,
        engine=request.engine,
        placement=placement,
        workers=jobs,
        metrics=metrics,
        force=storage.force,
        announce=lambda: print_message("Timing some steps of the runs."),
    )
    if expected:
        print_message(_estimate_text(expected, len(configs)))
        jobs = jobs if jobs is not None or not expected.waiting else expected.workers
    outcomes = {}
    seconds = expected.seconds if expected else None
    with (
        StopRequest().watching() as stop,
        observe_runs(len(configs), request, storage, seconds) as (display, tracker),
    ):
        if storage.snapshots and not storage.force:
            _add_snapshots([store.run(config) for config in dict.fromkeys(configs)], placement, display, stop)
        for outcome in run_all(
            configs,
            store,
            engine=request.engine,
            placement=placement,
            workers=jobs,
            observer=tracker or display,
            stop=stop,
            force=storage.force,
        ):
            outcomes[outcome.config] = outcome
            ended = outcome.status is not Status.INTERRUPTED
            display.finished_run(outcome.config.run_name, _outcome_text(outcome), ended=ended)
            if tracker and outcome.status is Status.DONE:
                tracker.complete(outcome.config)
        if stop():
            finished = sum(outcome.status is not Status.INTERRUPTED for outcome in outcomes.values())
            left = len(configs) - finished
            where = f"with {left} of {counted(len(configs), 'run')} to go" if left else "after the last run"
            raise Interrupted(f"Interrupted {where}; the same command continues.")
    return [outcomes[config] for config in configs]


def without_workers(jobs: int | None, request: Request) -> int:
    """One run at a time, in this process: a worker does not import the script or notebook of its code."""
    if (jobs or 1) > 1 or request.engine.name != "local":
        raise UsageError(
            "Workers import neither a script nor a notebook: put your class or function into a module of its "
            "own, or train with jobs=1."
        )
    return 1


def run_comparison(
    losses: Sequence[str],
    axes: Axes,
    request: Request,
    storage: Storage,
    *,
    baseline: str | None,
    metrics: Sequence[str],
    tuned: bool,
    jobs: int | None,
    command: str,
) -> Comparison:
    """Train what is missing of these losses, and compare them."""
    from ..experiments.comparison import choose_baseline, comparison_configs, distinct, tuned_configs
    from ..reports.experiment import report_comparison

    store, configs, tuning = Store(storage.results), comparison_configs(losses, axes), ""
    if tuned:
        configs, tuning, alike = tuned_configs(store, configs, axes)
        if not alike:
            print_warning(tuning)
    baseline = choose_baseline(baseline, configs)
    groups = run_groups(distinct(configs), request, storage, metrics, jobs)
    return report_comparison(
        store, groups, baseline=baseline, metrics=metrics, command=command, tuning=tuning
    )


def run_groups(
    configs: Mapping[str, Sequence[RunConfig]],
    request: Request,
    storage: Storage,
    metrics: Sequence[str],
    jobs: int | None,
) -> dict[str, list[Outcome]]:
    """The outcomes of the runs of each loss, with these metrics."""
    distinct = dict.fromkeys(config for group in configs.values() for config in group)
    by_seed = sorted(distinct, key=lambda config: config.seed)  # an interruption leaves equal seeds
    outcomes = run_configs(by_seed, request, storage, jobs=jobs, metrics=dict.fromkeys(by_seed, metrics))
    measured = with_metrics(outcomes, Store(storage.results), metrics, request.data_dir)
    by_config = {outcome.config: outcome for outcome in measured}
    return {loss: [by_config[config] for config in group] for loss, group in configs.items()}


def run_sweep(loss: str, axes: Axes, request: Request, storage: Storage, *, jobs: int, command: str) -> Sweep:
    """Train what is missing of a grid, and summarize it."""
    from ..reports.experiment import report_sweep

    outcomes = run_configs(expand(loss, axes), request, storage, jobs=jobs)
    return report_sweep(Store(storage.results), outcomes, axes, command=command)


def _add_snapshots(
    runs: Sequence[RunFolder], placement: Placement, display: RunDisplay, stop: Callable[[], bool]
) -> None:
    """Train the stored runs without snapshots again, one after another, to add these. Raises Interrupted."""
    if lacking := [run for run in runs if run.lacks_snapshots]:
        from ..training.train import add_snapshots

        print_message(f"{_stored(len(lacking), len(runs))} without snapshots, and trained again.")
        for run in lacking:
            try:
                run.check_code()
                add_snapshots(run, placement=placement, observer=display, stop=stop)
            except Interrupted:
                raise
            except LossbenchError as error:
                print_warning(str(error))


@contextlib.contextmanager
def observe_runs(
    total: int, request: Request, storage: Storage, seconds: float | None = None
) -> Iterator[tuple[RunDisplay, Tracker | None]]:
    """The progress display of runs, and with `--tensorboard` the tracker that observes them in its place."""
    with RunDisplay(total, seconds) as display:
        if not storage.tensorboard:
            yield display, None
            return
        from ..reports.tensorboard import Tracker

        with Tracker(display, Store(storage.results.absolute()), request.data_dir) as tracker:
            yield display, tracker
            for problem in tracker.problems:
                print_warning(problem)


def with_metrics(
    outcomes: Sequence[Outcome], store: Store, names: Sequence[str], data_dir: Path | None = None
) -> list[Outcome]:
    """The outcomes with those of the named metrics that were not measured in training; failed where the
    features of a run cannot be read.

    In threads: what takes long, sorting distances, runs outside of the interpreter's lock.
    """

    def complete(outcome: Outcome) -> Outcome:
        if outcome.status is not Status.DONE or outcome.result is None:
            return outcome
        run, result = store.run(outcome.config), outcome.result
        try:
            metrics = _completed(run, result.metrics, names, "", data_dir)
            unseen = _completed(run, result.unseen, names, UNSEEN) if outcome.config.unseen else {}
        except RunError as error:  # its files are damaged; the others can be shown
            return Outcome(outcome.config, Status.FAILED, message=str(error))
        return outcome._replace(result=dataclasses.replace(result, metrics=metrics, unseen=unseen))

    pool = ThreadPoolExecutor(min(cores(), _MEASURED_AT_ONCE))
    try:
        return wait_for_metrics([pool.submit(complete, outcome) for outcome in outcomes])
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # the first error or Ctrl-C ends it at once


def _completed(
    run: RunFolder,
    measured: Mapping[str, float | None],
    names: Sequence[str],
    prefix: str,
    data_dir: Path | None = None,
) -> dict[str, float | None]:
    """Metrics of one split, with those of `names` that begin with `prefix`."""
    from ..runs.measurement import measure_stored

    of_split = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    missing = [name for name in of_split if name in catalog.names("metrics") and name not in measured]
    unseen = bool(prefix)
    return {**measured, **(measure_stored(run, missing, unseen=unseen, data_dir=data_dir) if missing else {})}


def _stored(stored: int, total: int) -> str:
    return f"{stored} of {counted(total, 'run')} {'is' if total == 1 else 'are'} stored"


def _estimate_text(expected: Estimate, total: int) -> str:
    at_once = f", {expected.workers} at a time" if expected.workers > 1 else ""
    at_once += " in one program" if at_once and expected.packed else ""
    text = _stored(expected.stored, total)
    if expected.waiting:
        text += f", {expected.waiting} to train: about {duration_text(expected.seconds)}{at_once}"
    if expected.measuring:
        seconds = expected.measuring / min(cores(), _MEASURED_AT_ONCE)
        text += f"; about {duration_text(seconds)} to measure metrics"
    return f"{text}."


def _outcome_text(outcome: Outcome) -> str:
    """What the line of a run says; '' for a stored one, of which there may be hundreds."""
    stored = outcome.message == STORED
    if outcome.status is not Status.DONE or outcome.result is None:
        if outcome.message.startswith(outcome.config.run_name):  # it says what happened
            return outcome.message
        return f"{outcome.status} (stored)" if stored else f"{outcome.status}: {outcome.message}"
    if stored:
        return ""
    split, result = outcome.config.eval_split, outcome.result
    accuracy = format_value(f"{split}_accuracy", result.accuracy(split), unit=True)
    return f"{accuracy} {split} in {result.seconds:.1f} s"
