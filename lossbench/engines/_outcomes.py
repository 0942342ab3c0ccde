"""What becomes of a run on any engine, and when going on makes no sense."""

from __future__ import annotations

import collections
import contextlib
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch

from ..data import Splits, load_splits
from ..errors import Busy, Diverged, Interrupted, LossbenchError, RunError
from ..protocols import Observer
from ..records import SplitSpec
from ..runs.config import RunConfig
from ..runs.outcome import STORED, Outcome
from ..runs.result import Status
from ..runs.store import RunFolder, Store
from ..training.process import Placement
from ..training.train import train
from ..training.trainer import RunStep

_HOPELESS = 3


def sorted_out(
    configs: Iterable[RunConfig], store: Store, force: bool
) -> tuple[list[Outcome], list[RunConfig]]:
    """The outcomes of the runs that need no training, and the configs of the others."""
    finished, waiting = [], []
    for config in configs:
        outcome = None if force else stored(config, store)
        if outcome is None:
            waiting.append(config)
        else:
            finished.append(outcome)
    return finished, waiting


def data_of(configs: Iterable[RunConfig], folder: Path | None) -> dict[SplitSpec, Splits]:
    """The splits of all runs by their kind, fetched once before anyone needs them. Raises DataError."""
    return {spec: load_splits(spec, folder) for spec in {c.split_spec for c in configs}}


def stored(config: RunConfig, store: Store) -> Outcome | None:
    """The outcome of a run that needs no training; None for one that does."""
    try:
        result = store.run(config).result()
    except LossbenchError as error:
        return Outcome(config, Status.FAILED, None, str(error))
    return None if result is None else Outcome(config, result.status, result, STORED)


def run_here(
    config: RunConfig,
    store: Store,
    placement: Placement,
    observer: Observer,
    stop: Callable[[], bool],
    force: bool,
    run_step: RunStep | None = None,
) -> Outcome:
    """Train a run in this process; what goes wrong is an outcome, its traceback logged."""
    run = store.run(config)
    try:
        result = train(
            config,
            store,
            placement=placement,
            observer=observer,
            stop=stop,
            force=force,
            run_step=run_step,
        )
        return Outcome(config, result.status, result)
    except Diverged as error:
        return Outcome(config, Status.DIVERGED, run.result(), str(error))
    except Interrupted as error:
        return Outcome(config, Status.INTERRUPTED, None, str(error))
    except Busy as error:
        return Outcome(config, Status.BUSY, None, str(error))
    except LossbenchError as error:
        _note(run, f"failed: {error}")
        return Outcome(config, Status.FAILED, None, str(error))
    except Exception as error:
        _note(run, f"failed:\n{traceback.format_exc()}")
        out_of_memory = _out_of_memory(error)
        status = Status.DIED if out_of_memory else Status.FAILED
        what = "out of memory" if out_of_memory else str(error)
        return Outcome(config, status, None, f"{type(error).__name__}: {what} (see {run.path / 'log.txt'})")


def _note(run: RunFolder, text: str) -> None:
    with contextlib.suppress(OSError):
        run.path.mkdir(parents=True, exist_ok=True)  # it may have failed before it began
    run.log(text)


def _out_of_memory(error: Exception) -> bool:
    # torch's allocator of the CPU raises a RuntimeError like any other
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def while_there_is_hope(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    """Pass outcomes on; three failures in a row for one reason are that of the machine, not of the runs.

    Raises RunError with the reason then, before any other run starts.
    """
    reasons: collections.deque[str] = collections.deque(maxlen=_HOPELESS)
    for outcome in outcomes:
        if outcome.status in (Status.BUSY, Status.DIED):
            outcome = outcome._replace(status=Status.FAILED)
        yield outcome
        failed = outcome.status is Status.FAILED
        # a message may name its run, and the reason is the same for all that
        reasons.append(outcome.message.replace(outcome.config.run_name, "") if failed else "")
        if failed and reasons.count(reasons[0]) == _HOPELESS:
            raise RunError(
                f"{_HOPELESS} runs in a row failed for the same reason, so no other was started: "
                f"{outcome.message}"
            )
