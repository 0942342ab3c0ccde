"""Where runs execute: one scheduler over executors in this process, in worker processes and on Ray.

What other packages use is here. Nothing is imported that needs torch until a function is called.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..errors import Diverged, Interrupted, RunError
from .options import LOCAL, EngineOptions

if TYPE_CHECKING:
    from ..data import Splits
    from ..records import Observer, SplitSpec
    from ..runs.config import RunConfig
    from ..runs.outcome import Outcome
    from ..runs.result import RunResult
    from ..runs.store import Store
    from ..training.process import Placement
    from .scheduler import Executor, ProgressMonitor
    from .time_estimate import Estimate

__all__ = ["LOCAL", "EngineOptions", "Estimate", "Train", "estimate", "open_trainer", "run_all"]

_SHORT = 20.0  # seconds: below, starting workers takes longer than they save
Train = Callable[..., "RunResult"]
"""`train(config, store, *, placement, observer, stop)`, as `training.train.train`."""


def run_all(
    configs: Sequence[RunConfig],
    store: Store,
    *,
    engine: EngineOptions = LOCAL,
    placement: Placement,
    workers: int | None = None,
    observer: Observer,
    stop: Callable[[], bool],
    force: bool = False,
) -> Iterator[Outcome]:
    """Train what is not complete and yield an outcome for each config, in the order of completion.

    workers: runs at a time; 0 is as many as fit, None is 1 on this machine's CPU and 0 elsewhere. A failing
    run does not stop the others, three in a row that fail for one reason do: RunError. Once `stop` is true
    the running ones save their state and no other starts; their outcome is `interrupted`, or none. Raises
    DataError before any training when the data set is not there, RunError where nothing can be written, and
    what `connected` raises for Ray; nothing is connected to, nor written, when all is stored.
    """
    from .scheduler import ProgressMonitor, Scheduler, split_stored, stop_after_equal_failures

    def outcomes() -> Iterator[Outcome]:
        stored, waiting = split_stored(configs, store, force)
        if not force:
            store.check_data(waiting)
        yield from stored
        if waiting:
            monitor = ProgressMonitor(observer)
            with _executor(waiting, store, engine, placement, workers, monitor, stop) as executor:
                store.check_writable()  # after the data are there: they leave no trace otherwise
                yield from Scheduler(executor, monitor, stop, force).run(waiting)

    yield from stop_after_equal_failures(outcomes())


def estimate(
    configs: Sequence[RunConfig],
    store: Store,
    *,
    engine: EngineOptions = LOCAL,
    placement: Placement,
    workers: int | None = None,
    metrics: Mapping[RunConfig, Collection[str]] = MappingProxyType({}),
    force: bool = False,
    announce: Callable[[], None] = lambda: None,
) -> Estimate | None:
    """How long `run_all` will take with the same arguments, and measuring these metrics of runs
    afterwards; None on Ray, where it is not known.

    `announce` is called before runs are timed, which takes seconds. Where `workers` is None, the estimate's
    `workers` are as many as fit, but 1 on a CPU where all runs then take less than 20 seconds. Raises
    DataError when the data set is not there.
    """
    from .time_estimate import estimate_time, workers_here

    if engine.name == "ray":
        return None
    count = workers_here(workers, placement)
    expected = estimate_time(
        configs,
        store,
        placement=placement,
        workers=count,
        metrics=metrics,
        force=force,
        announce=announce,
    )
    if workers is None and count == 1 and expected.waiting > 1 and expected.seconds > _SHORT:
        count = workers_here(0, placement)
        expected = estimate_time(
            configs, store, placement=placement, workers=count, metrics=metrics, force=force
        )
    return expected


@contextlib.contextmanager
def open_trainer(
    config: RunConfig, *, engine: EngineOptions = LOCAL, placement: Placement, workers: int | None = None
) -> Iterator[tuple[Train, int]]:
    """A function that trains a run on the engine, for runs on the data of `config`, and how many at once.

    workers: runs at a time; 0 is as many as fit, None is 1 on this machine and as many as fit on Ray. The
    function may be called by that many threads, each with its own observer and `stop`. Raises what `run_all`
    raises.
    """
    if engine.name == "local":
        from ..training.train import train
        from .in_process import failures_of_own_code
        from .processes import ProcessExecutor, needs_worker
        from .time_estimate import workers_here

        size = 1 if workers is None else workers_here(workers, placement)
        share = placement.for_workers(size)

        def train_in_process(config: RunConfig, store: Store, **others: Any) -> RunResult:
            with failures_of_own_code(store.run(config)):
                return train(config, store, **others)

        in_worker = _on_executors(lambda store, monitor: ProcessExecutor(store, share, monitor, 1))

        def train_run(config: RunConfig, store: Store, **others: Any) -> RunResult:
            here = size == 1 and not needs_worker(config, placement)
            return (train_in_process if here else in_worker)(config, store, **others)

        yield train_run, size
        return
    from ._cluster import connected
    from .ray import RayExecutor

    engine.check_device(placement.device)
    splits = _load_splits([config], placement.data_dir)
    with connected(engine) as cluster:
        references = cluster.put(splits)
        slots = cluster.slots()
        yield (
            _on_executors(
                lambda store, monitor: RayExecutor(cluster, store, references, placement, monitor, workers=1)
            ),
            min(workers or slots, slots),
        )


def _on_executors(make: Callable[[Store, ProgressMonitor], Executor]) -> Train:
    """A function like `training.train.train` that trains each run on an executor of its own."""
    from .scheduler import ProgressMonitor, Scheduler

    def train_on_executor(
        config: RunConfig,
        store: Store,
        *,
        placement: Placement,  # noqa: ARG001 (the executor has it)
        observer: Observer,
        stop: Callable[[], bool],
    ) -> RunResult:
        monitor = ProgressMonitor(observer)
        outcomes = list(Scheduler(make(store, monitor), monitor, stop).run([config]))
        return _result(outcomes[0] if outcomes else None)

    return train_on_executor


def _result(outcome: Outcome | None) -> RunResult:
    """The result, or the error that training in this process would have raised."""
    from ..runs.result import Status

    if outcome is None or outcome.status is Status.INTERRUPTED:
        raise Interrupted(outcome.message if outcome else "The run had not begun.")
    if outcome.status is Status.DIVERGED:
        raise Diverged(outcome.message)
    if outcome.result is None:
        raise RunError(f"{outcome.config.run_name}: failed: {outcome.message}")
    return outcome.result


@contextlib.contextmanager
def _executor(
    configs: Sequence[RunConfig],
    store: Store,
    engine: EngineOptions,
    placement: Placement,
    workers: int | None,
    monitor: ProgressMonitor,
    stop: Callable[[], bool],
) -> Iterator[Executor]:
    """The executor for these runs. Raises DataError before anything is started."""
    if engine.name == "ray":
        from ._cluster import connected, import_ray
        from .ray import RayExecutor

        engine.check_device(placement.device)
        import_ray()  # first: to load data, or to download them, takes longer
        splits = _load_splits(configs, placement.data_dir)
        with connected(engine) as cluster:
            yield RayExecutor(cluster, store, cluster.put(splits), placement, monitor, workers or 0)
        return
    from ..training.device import resolve_device
    from .in_process import GroupExecutor, InProcessExecutor
    from .processes import ProcessExecutor, needs_worker
    from .time_estimate import workers_here

    _load_splits(configs, placement.data_dir)
    size = min(workers_here(workers, placement), len(configs))
    if size == 1 and not any(needs_worker(config, placement) for config in configs):
        yield InProcessExecutor(store, placement, monitor, stop)
    elif resolve_device(placement.device).type == "cuda":
        yield GroupExecutor(store, placement, monitor, stop, size)
    else:
        yield ProcessExecutor(store, placement, monitor, size)


def _load_splits(configs: Sequence[RunConfig], folder: Path | None) -> dict[SplitSpec, Splits]:
    """The splits of all runs by their kind. Raises DataError."""
    from ..data import load_splits

    return {spec: load_splits(spec, folder) for spec in {config.split_spec for config in configs}}
