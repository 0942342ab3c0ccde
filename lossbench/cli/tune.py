"""`lossbench tune`: search a loss's settings on the validation split."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from ..specs import Value
from ._options import DEFAULT_RESULTS, Json, LossName, Request, Results, run_options
from ._output import RunDisplay, print_json, print_pairs, say, warn

if TYPE_CHECKING:
    from ..experiments.search_space import Search
    from ..runs.store import Store

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


@run_options()
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
    from ..experiments.grid import parse_seeds
    from ..experiments.search_space import Search
    from ..experiments.study import all_tuned, folder_of
    from ..reports.figure_files import draw_budget
    from ..runs.store import Store

    search = Search(loss, request.point, parse_seeds(seeds), _sought(metric))
    store = Store(results)
    found = _search(request, search, store, trials)
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


def _search(request: Request, search: Search, store: Store, trials: int) -> dict[str, Any]:
    """What is found by one trial after another, on Ray by as many at a time as fit there."""
    from ..experiments.study import tune
    from ..training.process import Placement, StopRequest

    placement = Placement(request.device, request.data_dir)
    with ExitStack() as stack:
        engine, at_once = None, 1
        if request.engine.name == "ray":
            from ..engines._cluster import Share
            from ..engines._one_by_one import training_on_ray

            share = Share(request.engine.cpus, request.engine.gpus)
            place = training_on_ray(search.base, placement, share, request.engine.address)
            engine, at_once = stack.enter_context(place)
        stop = stack.enter_context(StopRequest().watching())
        display = stack.enter_context(RunDisplay())
        failed: list[BaseException] = []

        def work(_: int) -> dict[str, Any] | None:
            bars = _Bars(display)
            try:
                return tune(
                    search,
                    store,
                    trials=trials,
                    placement=placement,
                    observer=bars,
                    stop=lambda: stop() or bool(failed),
                    report=bars.report,
                    engine=engine,
                )
            except BaseException as error:
                failed.append(error)  # the others stop, too
                return None

        found = [work(0)] if at_once == 1 else list(ThreadPoolExecutor(at_once).map(work, range(at_once)))
    if failed:
        raise failed[0]
    assert found[0] is not None
    return found[0]


class _Bars:
    """The bars of one trial at a time: when it is over they go, and a line stays."""

    def __init__(self, display: RunDisplay) -> None:
        self.display, self.runs = display, list[str]()
        self.stepped, self.finished_epoch = display.stepped, display.finished_epoch

    def started(self, run: str, epochs: int, steps: int, done: int) -> None:
        """A run of the trial begins."""
        self.runs.append(run)
        self.display.started(run, epochs, steps, done)

    def report(self, text: str) -> None:
        """The trial is over."""
        for run in self.runs:
            self.display.close(run)
        self.runs.clear()
        say(text)


def _sought(metric: str) -> str:
    from ..specs.quantities import parse_metrics

    names = parse_metrics(metric, unseen=False)
    if len(names) > 1 or names[0] == "test_accuracy":
        raise UsageError(f"--metric {metric}: tuning takes one metric, and never looks at the test split.")
    return names[0]


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
