"""`lossbench tune`: search a loss's settings on the validation split."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ..contracts import Value
from ..errors import UsageError
from ._options import DEFAULT_RESULTS, Json, LossName, Request, Results, run_options
from ._output import RunDisplay, print_json, print_pairs, say, warn

Trials = Annotated[
    int,
    typer.Option(
        "--trials", min=1, help="Budget: the same for every loss is fair.", rich_help_panel="Search"
    ),
]
Metric = Annotated[
    str, typer.Option("--metric", help="What is sought, on the validation split.", rich_help_panel="Search")
]
Seeds = Annotated[
    str,
    typer.Option(
        "--seeds",
        help="The objective is the mean over these; compare with others, so that tuning saw none of them.",
        rich_help_panel="Search",
    ),
]


@run_options(lists=False)
def tune(
    request: Request,
    loss: LossName,
    trials: Trials = 30,
    metric: Metric = "val_accuracy",
    seeds: Seeds = "1000,1001",
    results: Results = DEFAULT_RESULTS,
    json: Json = False,
) -> None:
    """Find a loss's best settings and learning rate; the same command goes on, also in several processes."""
    from ..rendering import draw_budget
    from ..runtime import Placement, StopRequest
    from ..searching import Search
    from ..store import Store
    from ..sweeping import parse_seeds
    from ..tuning import all_tuned, folder_of, tune

    search = Search(loss, _fixed(request), parse_seeds(seeds), _sought(metric))
    store = Store(results)
    with StopRequest().watching() as stop, RunDisplay() as display:

        def report(text: str) -> None:
            for run in list(display.tasks):  # the bars of the trial's runs go, a line stays
                display.progress.remove_task(display.tasks.pop(run))
            say(text)

        found = tune(
            search,
            store,
            trials=trials,
            placement=Placement(request.device, request.data_dir),
            observer=display,
            stop=stop,
            report=report,
        )
    base = search.base
    readable, problems = all_tuned(store, base.dataset, base.network)
    for problem in problems:
        warn(problem)
    others = [each for each in readable if each["metric"] == search.metric]
    figure = draw_budget(others, store.figures / f"budget-{base.dataset}-{base.network}.png")
    path = folder_of(store, base).with_suffix(".json")
    if json:
        print_json({**found, "path": str(path), "figure": str(figure)})
    else:
        print_pairs(_pairs(found), f"{base.title} on {base.dataset}, {base.network}")
        say(f"Settings: {path}   Figure: {figure}")


def _sought(metric: str) -> str:
    from ..comparing import parse_metrics

    names = parse_metrics(metric, unseen=False)
    if len(names) > 1 or names[0] == "test_accuracy":
        raise UsageError(f"--metric {metric}: tuning takes one metric, and never looks at the test split.")
    return names[0]


def _fixed(request: Request) -> dict[str, Value]:
    if several := [name for name, values in request.axes.items() if len(values) > 1]:
        raise UsageError(f"{several[0]} takes one value here, or none to search it.")
    return {name: values[0] for name, values in request.axes.items()}


def _pairs(found: dict[str, Any]) -> list[tuple[str, str]]:
    default = found["default_value"]
    return [
        *((name, _shown(value)) for name, value in found["point"].items()),
        (f"best {found['metric']}", f"{found['value']:.5g}"),
        ("at the defaults", "–" if default is None else f"{default:.5g}"),
        ("trials", f"{found['trials']} ({found['hopeless']} given up, {found['diverged']} diverged)"),
    ]


def _shown(value: Value) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value).lower()
