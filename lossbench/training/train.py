"""One run from its config to its result: the stored result, or that of training it from its last state."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import Diverged, RunError
from ..records import Observer
from ..runs.config import RunConfig
from ..runs.result import RunResult, Status, diverged_text
from ..runs.run_folder import RunFolder
from ..runs.store import Store
from .cuda_graph import StepGraph
from .process import Placement, prepare_process, threads_of
from .trainer import RunStep, Trainer


def train(
    config: RunConfig,
    store: Store,
    *,
    placement: Placement,
    observer: Observer,
    stop: Callable[[], bool],
    force: bool = False,
    run_step: RunStep | None = None,
) -> RunResult:
    """The result of a run: the stored one, or that of training it now (from its last state, if any).

    `stop` is asked after every step. `run_step` takes the steps of several runs together. Raises Interrupted
    (state saved), Diverged (result stored), or another LossbenchError; a run that another process trains is
    a RunError.
    """
    run = store.run(config)
    result = None if force else run.result()
    if not force:
        run.check_code()
    if result is None:
        if not force and not (run.path / "config.json").exists():
            store.check_data([config])
        prepare_process(threads_of(config, placement))
        # before anything is written: a device or data set that is not there leaves no trace
        trainer = Trainer(run, placement, observer, stop, run_step or StepGraph().step_one)
        store.check_writable()
        with run.lock():
            if force:
                run.clear()
            if (result := run.result()) is None:
                run.begin()
                result = trainer.train()
    if result.status is Status.DIVERGED:
        raise Diverged(diverged_text(result))
    return result


def add_snapshots(
    run: RunFolder, *, placement: Placement, observer: Observer, stop: Callable[[], bool]
) -> RunResult:
    """Train a complete run again in a folder inside of it, and add the snapshots; nothing stored changes.

    On one machine a training is the same bit for bit, so that these are the snapshots of the stored run.
    Raises RunError, and adds nothing, where the numbers are others; else what `train` raises.
    """
    stored, store = run.result(), Store(run.retraining(placement.snapshots))
    assert stored is not None
    with run.lock():
        again = store.run(run.config)
        again.unpack(run.pack_initial())
        same = placement._replace(threads=placement.threads or stored.machine.threads)
        result = train(run.config, store, placement=same, observer=observer, stop=stop)
        numbers = [(each.loss, each.test_accuracy, each.val_accuracy) for each in (stored, result)]
        content = again.read_bytes("snapshots.npz") if numbers[0] == numbers[1] else None
        run.drop_retraining()
        if content is None:
            raise RunError(
                f"{run.name} has other numbers when it is trained on this machine; its files are as they "
                "were. --force replaces them."
            )
        run.write_bytes("snapshots.npz", content)
    return stored
