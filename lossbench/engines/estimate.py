"""How long runs will take here, found by timing some of their steps."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from ..errors import DataError, LossbenchError
from ..protocols import Silent
from ..runs.config import RunConfig
from ..runs.store import RunFolder, Store
from ..training.cuda_graph import StepGraph
from ..training.device import resolve_device
from ..training.process import Placement, prepare_process, threads_per_worker
from ..training.trainer import Trainer

STARTUP = 4.0
"""Seconds, about, until a worker has imported torch and loaded the data."""


def seconds_of(config: RunConfig, placement: Placement, together: int = 1) -> float:
    """About how long so many equal runs take in this process: some of their steps, timed and thrown away."""
    prepare_process(placement.threads)
    members = [
        Trainer(RunFolder(Path(), config), placement, Silent(), lambda: False) for _ in range(together)
    ]
    for trainer in members:
        trainer.batch_indices.copy_(torch.arange(config.batch_size))
    graph, moments = StepGraph(), []
    for _ in range(16):
        for error in graph.step(members).values():
            raise error
        float(members[-1].loss_sums[0])  # waits for the device
        moments.append(time.perf_counter())
    pauses = sorted(later - earlier for earlier, later in itertools.pairwise(moments))
    return pauses[len(pauses) // 2] * members[0].steps_per_epoch * config.epochs


class Plan(NamedTuple):
    """What is ahead: runs whose results are stored, runs to train, about how many seconds that takes, and
    whether runs train together in this process."""

    stored: int
    waiting: int
    seconds: float
    packed: bool


def plan(
    configs: Sequence[RunConfig], store: Store, *, placement: Placement, workers: int, force: bool = False
) -> Plan:
    """Look before training: some steps of each kind of run are timed, at the threads it will have.

    Raises DataError when the data set is not there.
    """
    waiting = [config for config in configs if force or not _is_complete(config, store)]
    at_once = max(1, min(workers, len(waiting)))
    packed = resolve_device(placement.device).type == "cuda"
    share = placement if packed else placement._replace(threads=threads_per_worker(placement, at_once))
    threads, paces = torch.get_num_threads(), dict[tuple[object, ...], float]()
    # when each worker can take its next run
    free = [STARTUP if at_once > 1 and not packed else 0.0] * at_once
    try:
        for config in waiting:
            kind = (config.network, config.dataset, config.feature_dim, config.batch_size)
            if kind not in paces:
                paces[kind] = _seconds_of_epoch(config, share, at_once if packed else 1)
            heapq.heapreplace(free, free[0] + paces[kind] * config.epochs)
    finally:
        torch.set_num_threads(threads)
    return Plan(len(configs) - len(waiting), len(waiting), max(free) if waiting else 0.0, packed)


def _seconds_of_epoch(config: RunConfig, placement: Placement, together: int) -> float:
    """0 for a run that cannot be timed: it will not train either, and its outcome says why."""
    try:
        return seconds_of(config, placement, together) / config.epochs
    except DataError:
        raise
    except Exception:
        return 0.0


def _is_complete(config: RunConfig, store: Store) -> bool:
    try:
        return store.run(config).result() is not None
    except LossbenchError:
        return True  # it will not train: its outcome says why
