"""`lossbench train`: one run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ..config import RunConfig
from ..errors import Diverged
from ..resolving import feasibility_warnings
from ._options import DEFAULT_RESULTS, Force, Json, LossName, Request, Results, run_options
from ._output import RunDisplay, print_json, print_pairs, result_document, warn

if TYPE_CHECKING:
    from ..store import Store

Seed = Annotated[
    int, typer.Option("--seed", min=0, help="All randomness comes from it.", rich_help_panel="Training")
]


@run_options(lists=False)
def train(
    request: Request,
    loss: LossName = "softmax",
    seed: Seed = 0,
    results: Results = DEFAULT_RESULTS,
    force: Force = False,
    json: Json = False,
) -> None:
    """Train one network under one loss; a finished run is shown, an interrupted one continued."""
    from ..store import Store
    from ..sweeping import expand

    (config,) = expand(loss, {**request.axes, "seed": (seed,)})
    store = Store(results)
    for warning in feasibility_warnings(config):
        warn(warning)
    try:
        result = _train(config, store, request, force)
    except Diverged as error:
        result = store.run(config).result() or {}
        if json:
            print_json(result_document(result, str(store.run(config).path)))
        raise error
    path = str(store.run(config).path)
    if json:
        print_json(result_document(result, path))
    else:
        _show(config, result, path)


def _train(config: RunConfig, store: Store, request: Request, force: bool) -> dict[str, object]:
    stored = None if force else store.run(config).result()
    if stored is not None and stored["status"] == "done":
        return stored  # without importing torch
    from ..runtime import Placement, StopRequest
    from ..training import train as run

    placement = Placement(request.device, request.data_dir)
    with StopRequest().watching() as stop, RunDisplay() as display:
        return run(config, store, placement=placement, observer=display, stop=stop, force=force)


def _show(config: RunConfig, result: dict[str, object], path: str) -> None:
    from ..comparing import column_title
    from ..reporting import format_value

    metrics: dict[str, float] = result["metrics"]  # type: ignore[assignment]
    val = result["val_accuracy"]
    pairs = [
        ("test accuracy", f"{100 * result['test_accuracy']:.2f} %  by {result['rule']}"),  # type: ignore[operator]
        ("val accuracy", "–" if val is None else f"{100 * val:.2f} %"),  # type: ignore[operator]
    ]
    for name, value in metrics.items():
        if name != "accuracy" and value is not None:
            pairs.append((column_title(name), format_value(name, value)))
    for name, value in result.get("unseen", {}).items():  # type: ignore[attr-defined]
        if value is not None:
            pairs.append((f"unseen {column_title(name)}", format_value(name, value)))
    machine: dict[str, object] = result["machine"]  # type: ignore[assignment]
    pairs += [
        ("training time", f"{result['seconds']:.1f} s on {machine['device_name']}"),
        ("speed", f"{result['images_per_second']:,.0f} images/s"),
        ("files", path),
    ]
    print_pairs(pairs, " ".join(filter(None, [config.title, config.subtitle, f"seed {config.seed}"])))
