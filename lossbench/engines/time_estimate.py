"""How long runs will take on this machine, found by timing some of their steps."""

import contextlib
import dataclasses
import heapq
import itertools
import time
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import torch

from ..data import load_splits
from ..errors import DataError, LossbenchError, UsageError
from ..records import NullObserver
from ..runs.config import RunConfig
from ..runs.run_folder import RunFolder
from ..runs.store import Store
from ..specs import MetricSpec, catalog
from ..specs.plugins import folder_and_streams_kept
from ..training.cuda_graph import StepGraph
from ..training.device import default_workers, resolve_device
from ..training.process import Placement, prepare_process, threads_of
from ..training.trainer import Trainer
from ._worker import call_in_worker
from .processes import needs_worker

STARTUP = 4.0
"""Seconds, about, until a worker has imported torch and loaded the data."""
_TIMED_STEPS = 16
_TIMED_SHARE = 0.1
"""The fraction of its steps that is timed: timing a short run must not take longer than training it."""
_EVALUATED_IMAGES = 1000


class RunTime(NamedTuple):
    """Seconds that a run takes, by epoch and at its end."""

    epoch: float = 0.0
    end: float = 0.0

    def of(self, epochs: int) -> float:
        """Seconds of a run with this number of epochs."""
        return self.epoch * epochs + self.end


class Estimate(NamedTuple):
    """Runs whose results are stored, runs to train, and about how many seconds these take.

    workers: how many train at a time; packed: whether they train together in this process. measuring: seconds
    of one core, besides, to measure metrics that take many gradients; 0 on a GPU, where they take few.
    """

    stored: int
    waiting: int
    seconds: float
    packed: bool
    workers: int
    measuring: float = 0.0


def workers_here(workers: int | None, placement: Placement) -> int:
    """Runs at a time on this machine: 0 is as many as fit, None is 1 on a CPU, else as many as fit."""
    device = resolve_device(placement.device)
    return workers or (1 if workers is None and device.type == "cpu" else default_workers(device))


def estimate_time(
    configs: Sequence[RunConfig],
    store: Store,
    *,
    placement: Placement,
    workers: int,
    metrics: Mapping[RunConfig, Collection[str]] = MappingProxyType({}),
    force: bool = False,
    announce: Callable[[], None] = lambda: None,
) -> Estimate:
    """Time some steps of each kind of run, with the threads that it will have; `announce` is called before.

    metrics: the names of those that will be measured after the training, for each run.

    Raises DataError when the data set is not there, and UsageError where there is no run that can train.
    """
    waiting = [config for config in configs if force or not _is_complete(config, store)]
    packed = resolve_device(placement.device).type == "cuda"
    gradients = {} if packed else _missing_gradients(metrics, store, set(waiting))
    if waiting or gradients:
        announce()
    workers = max(1, min(workers, len(waiting)))
    share = placement if packed else placement.for_workers(workers)
    times, mistake = _time_runs([*waiting, *gradients], share, workers if packed else 0)
    stored = len(configs) - len(waiting)
    if mistake and not stored:
        raise mistake
    measuring = 0.0
    for config, count in gradients.items():
        images = len(load_splits(config.split_spec, placement.data_dir).train.labels)
        measuring += times[config].epoch * count / images
    free = [STARTUP if workers > 1 and not packed else 0.0] * workers  # when each can take its next run
    for config in waiting:
        heapq.heapreplace(free, free[0] + times[config].of(config.epochs))
    return Estimate(stored, len(waiting), max(free) if waiting else 0.0, packed, workers, measuring)


def _time_runs(
    configs: Sequence[RunConfig], placement: Placement, packed: int
) -> tuple[dict[RunConfig, RunTime], UsageError | None]:
    """The time of each run, found by timing one run of each kind; 0 for a run that cannot train. Also the
    first mistake, if none can. packed: how many train together, 0 for one at a time.
    """
    threads, timed, mistakes = torch.get_num_threads(), dict[tuple[object, ...], RunTime](), []
    times = {}
    try:
        for config in configs:
            kind = (
                *(config.network, config.optimizer, config.feature_dim, config.batch_size),
                *(config.split_spec, config.training_conditions),
                # a GPU first records the steps of the whole group, which takes far longer than losses differ
                *(() if packed else (term.name for term in config.terms)),
            )
            if kind not in timed:
                timed[kind] = RunTime()
                try:
                    timed[kind] = _time_run(config, placement, packed or 1)
                except UsageError as error:
                    mistakes.append(error)
            times[config] = timed[kind]
    finally:
        torch.set_num_threads(threads)
    return times, mistakes[0] if mistakes and len(mistakes) == len(timed) else None


def time_of(config: RunConfig, placement: Placement, together: int = 1) -> RunTime:
    """About how long this number of equal runs take in this process: some steps are timed and discarded."""
    prepare_process(threads_of(config, placement))
    config = dataclasses.replace(config, init="")  # it takes as long from other weights
    trainers = [
        Trainer(RunFolder(Path(), config), placement, NullObserver(), lambda: False) for _ in range(together)
    ]
    for trainer in trainers:
        trainer.batch_indices.copy_(torch.arange(config.batch_size))
    graph, moments = StepGraph(), []
    steps = trainers[0].steps_per_epoch
    for _ in range(max(3, min(_TIMED_STEPS, int(_TIMED_SHARE * steps * config.epochs)))):
        for error in graph.step(trainers).values():
            raise error
        float(trainers[-1].loss_sums[0])  # waits for the device
        moments.append(time.perf_counter())
    durations = sorted(later - earlier for earlier, later in itertools.pairwise(moments))
    splits, image = trainers[0].splits, together * _seconds_to_embed_image(trainers[0])
    return RunTime(
        epoch=durations[len(durations) // 2] * steps + image * len(splits.val.labels),
        end=image * sum(len(split.labels) for split in splits),
    )


def _seconds_to_embed_image(trainer: Trainer) -> float:
    """The seconds to embed some images, by their number."""
    began = time.perf_counter()
    images = trainer.splits.train.images[:_EVALUATED_IMAGES]
    float(trainer.evaluator.embed(images)[0, 0])  # waits for the device
    return (time.perf_counter() - began) / len(images)


def _time_run(config: RunConfig, placement: Placement, together: int) -> RunTime:
    """The time of a run; 0 where its user code fails. Raises UsageError for a run that makes no sense."""
    if needs_worker(config, placement):
        return call_in_worker(_time_run_here, config, placement, together) or RunTime()
    return _time_run_here(config, placement, together)


def _time_run_here(config: RunConfig, placement: Placement, together: int) -> RunTime:
    try:
        with folder_and_streams_kept(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the training will warn
            return time_of(config, placement, together)
    except (DataError, UsageError, KeyboardInterrupt):
        raise
    except BaseException:  # user code may raise anything
        return RunTime()


def _missing_gradients(
    metrics: Mapping[RunConfig, Collection[str]], store: Store, waiting: Collection[RunConfig]
) -> dict[RunConfig, int]:
    """For each run how many gradients those metrics take that are not measured yet, where there are any."""
    specs: dict[str, MetricSpec] = {name: catalog.spec("metrics", name) for name in catalog.names("metrics")}
    costs = {name: spec.gradients for name, spec in specs.items() if spec.gradients}
    missing = {}
    for config, names in metrics.items():
        if asked := costs.keys() & names:
            measured = {} if config in waiting else _metrics_of(config, store)
            missing[config] = sum(costs[name] for name in asked if name not in measured)
    return {config: count for config, count in missing.items() if count}


def _metrics_of(config: RunConfig, store: Store) -> Mapping[str, float | None]:
    with contextlib.suppress(LossbenchError):
        return store.run(config).metrics()
    return {}


def _is_complete(config: RunConfig, store: Store) -> bool:
    try:
        return store.run(config).result() is not None
    except LossbenchError:
        return True  # it will not train: its outcome says why
