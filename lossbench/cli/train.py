"""`lossbench train`: one run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import Diverged, Interrupted, LossbenchError
from ..runs.config import RunConfig
from ..runs.config_builder import config_at, warnings_of
from ..runs.result import RunResult, Status
from ..specs.quantities import UNSEEN, format_value, metric_name
from ._flags import Json, LossName
from ._options import Request, Storage, run_options
from ._output import print_json, print_message, print_pairs, print_warning, run_document

if TYPE_CHECKING:
    from ..runs.run_folder import RunFolder


@run_options(several_runs=False)
def train(request: Request, storage: Storage, loss: LossName = "softmax", json: Json = False) -> None:
    """Train one network under one loss; a finished run is shown, an interrupted one continued."""
    from ..runs.store import Store

    config = config_at(loss, request.point)
    run = Store(storage.results).run(config)
    try:
        result = train_run(run, request, storage)
    except LossbenchError as error:
        error.document = run_document(config, run.path, *_failure(run, error))
        raise
    if json:
        print_json(run_document(config, run.path, result.status, result))
    else:
        _print_result(config, result, str(run.path))


def _failure(run: RunFolder, error: LossbenchError) -> tuple[Status, RunResult | None]:
    """The status of a run that raised an error, and its result if it has one."""
    if isinstance(error, Diverged):
        return Status.DIVERGED, run.result()
    return Status.INTERRUPTED if isinstance(error, Interrupted) else Status.FAILED, None


def train_run(run: RunFolder, request: Request, storage: Storage) -> RunResult:
    """The result of a run, trained unless it is stored. Raises what `training.train.train` raises."""
    for warning in warnings_of(run.config):
        print_warning(warning)
    from ..runs.store import Store

    Store(storage.results).check_folder()
    stored = None if storage.force else run.result()
    adds_snapshots = False
    if stored is not None and stored.status is Status.DONE:
        run.check_code()
        adds_snapshots = storage.snapshots > 0 and run.lacks_snapshots
        if not adds_snapshots and not storage.tensorboard:
            return stored  # without importing torch
    from ..engines.in_process import failures_of_own_code
    from ..training import train as training
    from ..training.process import StopRequest
    from ._training import observe_runs

    store = Store(storage.results.absolute())  # user code may change the working folder
    placement = request.placement._replace(snapshots=storage.snapshots)
    with StopRequest().watching() as stop, observe_runs(1, request, storage) as (display, tracker):
        with failures_of_own_code(run):
            if adds_snapshots:
                print_message(f"{run.name} is stored without snapshots; it is trained again to add them.")
                stored_run = store.run(run.config)
                result = training.add_snapshots(stored_run, placement=placement, observer=display, stop=stop)
            else:
                observer = tracker or display
                result = training.train(
                    run.config, store, placement=placement, observer=observer, stop=stop, force=storage.force
                )
        if tracker:
            tracker.complete(run.config, trained=stored is None)
    return result


def _print_result(config: RunConfig, result: RunResult, path: str) -> None:
    test, val = result.test_accuracy, result.val_accuracy
    pairs = [
        ("test accuracy", f"{format_value('test_accuracy', test, unit=True)}  by {result.rule}"),
        ("val accuracy", format_value("val_accuracy", val, unit=True)),
    ]
    measured = {name: value for name, value in result.metrics.items() if name != "accuracy"}
    measured |= {UNSEEN + name: value for name, value in result.unseen.items()}
    for name, value in measured.items():
        if value is not None:
            pairs.append((metric_name(name), format_value(name, value, unit=True)))
    pairs += [
        ("training time", f"{result.seconds:.1f} s on {result.machine.device_name}"),
        ("speed", f"{result.images_per_second:,.0f} images/s"),
        ("files", path),
    ]
    print_pairs(pairs, " ".join(filter(None, [config.title, config.subtitle, f"seed {config.seed}"])))
