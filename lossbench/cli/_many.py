"""What compare and sweep share: run many configs with one display, and say how it went."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from ..errors import Interrupted, LossbenchError
from ..runs.config import RunConfig
from ..runs.config_builder import feasibility_warnings
from ..runs.outcome import STORED, Outcome
from ..runs.result import Status
from ..runs.store import RunFolder, Store
from ..specs import catalog
from ..specs.quantities import UNSEEN
from ._options import Request
from ._output import RunDisplay, counted, say, warn
from ._stored import warn_without_snapshots

if TYPE_CHECKING:
    from ..engines import Estimate
    from ..reports.tensorboard import Tracker


def run_configs(
    configs: Sequence[RunConfig],
    store: Store,
    request: Request,
    *,
    jobs: int | None,
    force: bool,
    snapshots: int = 0,
    tensorboard: bool = False,
) -> list[Outcome]:
    """The outcomes in the order of the configs. Raises Interrupted when asked to stop.

    jobs: runs at a time; 0 is as many as fit, None is 1 on this machine's CPU and 0 elsewhere.
    """
    from ..engines import estimate, run_all
    from ..training.process import Placement, StopRequest

    for warning in dict.fromkeys(text for config in configs for text in feasibility_warnings(config)):
        warn(warning)
    store.check_writable()
    warn_without_snapshots(store, configs, snapshots, force)
    placement = Placement(request.device, request.data_dir, snapshots=snapshots)
    options: dict[str, Any] = {
        "engine": request.engine,
        "placement": placement,
        "workers": jobs,
        "force": force,
    }
    expected = estimate(configs, store, **options)
    if expected and expected.waiting:
        say(_estimate_text(expected, len(configs)))
    outcomes = {}
    with StopRequest().watching() as stop, RunDisplay(len(configs)) as display, ExitStack() as stack:
        tracker = stack.enter_context(new_tracker(display, store, request)) if tensorboard else None
        for outcome in run_all(configs, store, observer=tracker or display, stop=stop, **options):
            outcomes[outcome.config] = outcome
            display.finished_run(outcome.config.run_name, _line(outcome))
            if tracker and outcome.status is Status.DONE:
                tracker.complete(outcome.config)
        if stop():
            missing = (
                sum(o.status is Status.INTERRUPTED for o in outcomes.values()) + len(configs) - len(outcomes)
            )
            raise Interrupted(
                f"Interrupted with {missing} of {len(configs)} runs to go; the same command continues."
            )
    return [outcomes[config] for config in configs]


def fail_if_any(outcomes: Sequence[Outcome]) -> None:
    """Raise LossbenchError (exit code 1) that counts the runs that failed or diverged, if any."""
    failed = sum(outcome.status is Status.FAILED for outcome in outcomes)
    diverged = sum(outcome.status is Status.DIVERGED for outcome in outcomes)
    if failed or diverged:
        raise LossbenchError(
            f"{failed} of {len(outcomes)} runs failed and {diverged} diverged; "
            "their folders hold a log, and the same command tries the failed ones again."
        )


def with_metrics(outcomes: Sequence[Outcome], store: Store, names: Sequence[str]) -> list[Outcome]:
    """The outcomes, their results completed by metrics that were not measured in training; names of
    anything else are passed over."""
    completed = []
    for outcome in counted(outcomes, "metrics"):
        if outcome.status is Status.DONE and outcome.result is not None:
            run, result = store.run(outcome.config), outcome.result
            metrics = _completed(run, result.metrics, names, "")
            unseen = _completed(run, result.unseen, names, UNSEEN) if outcome.config.unseen else {}
            outcome = outcome._replace(result=dataclasses.replace(result, metrics=metrics, unseen=unseen))
        completed.append(outcome)
    return completed


def _completed(
    run: RunFolder, measured: Mapping[str, float | None], names: Sequence[str], before: str
) -> dict[str, float | None]:
    """Metrics of one split, with those of `names` that begin with `before`."""
    from ..runs.measurement import measure_stored

    wanted = [name.removeprefix(before) for name in names if name.startswith(before)]
    missing = [name for name in wanted if name in catalog.names("metrics") and name not in measured]
    found = measure_stored(run, missing, unseen=bool(before)) if missing else {}
    return {**measured, **found}


def _estimate_text(expected: Estimate, total: int) -> str:
    at_once = f", {expected.workers} at a time" if expected.workers > 1 else ""
    at_once += " in one program" if at_once and expected.packed else ""
    return (
        f"{expected.stored} of {total} runs are stored, {expected.waiting} to train: "
        f"about {_duration(expected.seconds)}{at_once}."
    )


def new_tracker(display: RunDisplay, store: Store, request: Request) -> Tracker:
    """TensorBoard's observer, imported when it is asked for: it comes with much."""
    from ..reports.tensorboard import Tracker

    return Tracker(display, store, request.data_dir)


def _duration(seconds: float) -> str:
    for size, unit in ((1, "s"), (60, "min")):
        if seconds < 100 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 3600:.1f} h"


def _line(outcome: Outcome) -> str:
    stored = " (stored)" if outcome.message == STORED else ""
    if outcome.status is not Status.DONE or outcome.result is None:
        return f"{outcome.status}{stored}" if stored else f"{outcome.status}: {outcome.message}"
    split, result = outcome.config.eval_split, outcome.result
    return f"{100 * (result.accuracy(split) or math.nan):.2f} % {split} in {result.seconds:.1f} s{stored}"
