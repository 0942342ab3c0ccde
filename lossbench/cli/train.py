"""`lossbench train`: one run."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from ..errors import Diverged
from ..runs.config import RunConfig
from ..runs.config_builder import config_at, feasibility_warnings
from ..runs.result import RunResult, Status
from ._options import (
    DEFAULT_RESULTS,
    Force,
    Json,
    LossName,
    Request,
    Results,
    Snapshots,
    Tensorboard,
    run_options,
)
from ._output import RunDisplay, print_json, print_pairs, result_document, warn
from ._stored import warn_without_snapshots

if TYPE_CHECKING:
    from ..runs.store import Store


@run_options(several_runs=False)
def train(
    request: Request,
    loss: LossName = "softmax",
    results: Results = DEFAULT_RESULTS,
    force: Force = False,
    snapshots: Snapshots = 0,
    tensorboard: Tensorboard = False,
    json: Json = False,
) -> None:
    """Train one network under one loss; a finished run is shown, an interrupted one continued."""
    from ..runs.store import Store

    config = config_at(loss, request.point)
    store = Store(results)
    for warning in feasibility_warnings(config):
        warn(warning)
    warn_without_snapshots(store, [config], snapshots, force)
    try:
        result = _train(config, store, request, force, snapshots, tensorboard)
    except Diverged as error:
        if json and (stored := store.run(config).result()) is not None:
            print_json(result_document(stored, str(store.run(config).path)))
        raise error
    path = str(store.run(config).path)
    if json:
        print_json(result_document(result, path))
    else:
        _show(config, result, path)


def _train(
    config: RunConfig, store: Store, request: Request, force: bool, snapshots: int, tensorboard: bool
) -> RunResult:
    stored = None if force else store.run(config).result()
    if stored is not None and stored.status is Status.DONE and not tensorboard:
        return stored  # without importing torch
    from ..training.process import Placement, StopRequest
    from ..training.train import train as run
    from ._many import new_tracker

    placement = Placement(request.device, request.data_dir, snapshots=snapshots)
    with StopRequest().watching() as stop, RunDisplay() as display, ExitStack() as stack:
        tracker = stack.enter_context(new_tracker(display, store, request)) if tensorboard else None
        observer = tracker or display
        result = run(config, store, placement=placement, observer=observer, stop=stop, force=force)
        if tracker:
            tracker.complete(config)
    return result


def _show(config: RunConfig, result: RunResult, path: str) -> None:
    from ..specs.quantities import column_title, format_value

    test, val = result.test_accuracy, result.val_accuracy
    pairs = [
        ("test accuracy", f"{format_value('test_accuracy', test, unit=True)}  by {result.rule}"),
        ("val accuracy", format_value("val_accuracy", val, unit=True)),
    ]
    for name, value in result.metrics.items():
        if name != "accuracy" and value is not None:
            pairs.append((column_title(name), format_value(name, value)))
    for name, value in result.unseen.items():
        if value is not None:
            pairs.append((f"unseen {column_title(name)}", format_value(name, value)))
    pairs += [
        ("training time", f"{result.seconds:.1f} s on {result.machine.device_name}"),
        ("speed", f"{result.images_per_second:,.0f} images/s"),
        ("files", path),
    ]
    print_pairs(pairs, " ".join(filter(None, [config.title, config.subtitle, f"seed {config.seed}"])))
