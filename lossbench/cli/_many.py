"""What compare and sweep share: run many configs with one display, and say how it went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..config import RunConfig
from ..errors import Interrupted, LossbenchError
from ..resolving import feasibility_warnings
from ..store import Store
from ._options import Request
from ._output import RunDisplay, warn


def run_configs(
    configs: Sequence[RunConfig], store: Store, request: Request, *, jobs: int, force: bool
) -> list[Any]:
    """The outcomes in the order of the configs. Raises Interrupted when asked to stop."""
    from ..engines.local import run_all
    from ..runtime import Placement, StopRequest, cores, resolve_device

    for warning in dict.fromkeys(text for config in configs for text in feasibility_warnings(config)):
        warn(warning)
    store.check_writable()
    on_cpu = resolve_device(request.device).type == "cpu"
    workers = jobs or (cores() if on_cpu else 1)
    outcomes = {}
    with StopRequest().watching() as stop, RunDisplay(len(configs)) as display:
        for outcome in run_all(
            configs,
            store,
            placement=Placement(request.device, request.data_dir),
            workers=workers,
            observer=display,
            stop=stop,
            force=force,
        ):
            outcomes[outcome.config] = outcome
            display.finished_run(outcome.config.run_name, _line(outcome))
        if stop():
            missing = sum(o.status == "interrupted" for o in outcomes.values()) + len(configs) - len(outcomes)
            raise Interrupted(
                f"Interrupted with {missing} of {len(configs)} runs to go; the same command continues."
            )
    return [outcomes[config] for config in configs]


def fail_if_any(outcomes: Sequence[Any]) -> None:
    """Raise LossbenchError (exit code 1) that counts the runs that failed or diverged, if any."""
    failed = sum(outcome.status == "failed" for outcome in outcomes)
    diverged = sum(outcome.status == "diverged" for outcome in outcomes)
    if failed or diverged:
        raise LossbenchError(
            f"{failed} of {len(outcomes)} runs failed and {diverged} diverged; "
            "their folders hold a log, and the same command tries the failed ones again."
        )


def _line(outcome: Any) -> str:
    if outcome.status != "done":
        return (
            f"{outcome.status}: {outcome.message}"
            if outcome.message != "stored"
            else f"{outcome.status} (stored)"
        )
    text = f"{100 * outcome.result['test_accuracy']:.2f} % test in {outcome.result['seconds']:.1f} s"
    return f"{text} (stored)" if outcome.message == "stored" else text
