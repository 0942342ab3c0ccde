"""`lossbench tune`: search a loss's settings on the validation split."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Annotated

from ..errors import LossbenchError, UsageError
from ..runs.config import dataset_title
from ..runs.config_builder import config_at
from ..runs.result import Status
from ..specs import Value
from ._flags import DEFAULT_RESULTS, Json, LossName, Results, flag
from ._options import Request, run_options
from ._output import command_line, print_json, print_message, print_pairs, print_warning, settings_document
from ._progress import RunDisplay

if TYPE_CHECKING:
    from ..experiments.search_space import StudyConfig
    from ..experiments.tuning_result import TuningResult
    from ..reports.figure_files import Compose
    from ..runs.store import Store

Trials = Annotated[int, flag("--trials", "Trials; give every loss the same number.", "Search", min=1)]
Metric = Annotated[str, flag("--metric", "The objective, measured on the validation split.", "Search")]
Seeds = Annotated[
    str,
    flag(
        "--seeds",
        "Seeds, over which the objective is averaged. Compare with other seeds afterwards.",
        "Search",
    ),
]
Jobs = Annotated[
    int | None,
    flag(
        "--jobs",
        "Trials at the same time, on a CPU thread each; 0: as many as fit "
        "(default: 1, on Ray as many as fit).",
        "Machine",
        min=0,
    ),
]


@run_options()
def tune(
    request: Request,
    loss: LossName,
    trials: Trials = 30,
    metric: Metric = "val_accuracy",
    seeds: Seeds = "1000,1001",
    jobs: Jobs = None,
    results: Results = DEFAULT_RESULTS,
    json: Json = False,
) -> None:
    """Find a loss's best settings and learning rate; the same command goes on, also in several processes."""
    from ..experiments.grid import parse_seeds
    from ..experiments.search_space import StudyConfig
    from ..experiments.tuning_result import read_results, result_path
    from ..reports.document import Drawing, record_figure
    from ..runs.store import Store
    from ._training import draw_figures, fail_if_any

    config = StudyConfig(loss, request.point, parse_seeds(seeds), _objective(metric))
    store = Store(results)
    result = _tune(request, config, store, trials, jobs)
    run = config.default_run
    tuned, problems = read_results(store, run.dataset, run.network)
    for problem in problems:
        print_warning(problem)
    comparable = [each for each in tuned if each.metric == config.metric]
    figure = store.figures / f"budget-{run.dataset}-{run.network}.png"
    path = result_path(store, run)
    if not json:
        print_pairs(_pairs(result), f"{run.title} on {run.dataset}, {run.network}")
    drawing = Drawing(figure, "budget", compose=partial(_compose_budget, comparable))
    files, problems = draw_figures(store, [drawing])
    if files:
        title = f"{dataset_title(run.dataset)}, network {run.network}"
        record_figure(store, figure, "budget", (), made_by="tune", command=command_line(), title=title)
    if not json:
        print_message(f"Settings: {path}" + (f"\nFigure: {figure}" if files else ""))
    best = config_at(result.loss, {**request.point, **result.point, "seed": result.config.seed})
    found = settings_document(best) | {
        **result.to_dict(),
        "path": str(path),
        "figure": str(figure) if files else None,
    }
    try:
        fail_if_any((), problems)
    except LossbenchError as error:
        error.document = found | {"status": Status.FAILED.value}
        raise
    if json:
        print_json(found)


def _compose_budget(results: Sequence[TuningResult]) -> Compose:
    from ..reports.figure_files import compose_budget

    return compose_budget(results)


def _tune(request: Request, config: StudyConfig, store: Store, trials: int, jobs: int | None) -> TuningResult:
    """One trial after another, or several at a time, each from a thread of its own."""
    from ..engines import open_trainer
    from ..experiments.study import tune
    from ..runs.store import Store
    from ..training.process import StopRequest

    placement = request.placement
    store = Store(store.root.absolute())  # the start of a worker changes the working directory for a moment
    with ExitStack() as stack:
        trainer = open_trainer(config.default_run, engine=request.engine, placement=placement, workers=jobs)
        train, at_once = stack.enter_context(trainer)
        at_once = min(at_once, trials)
        stop = stack.enter_context(StopRequest().watching())
        display = stack.enter_context(RunDisplay(total_runs=0))
        errors: list[BaseException] = []

        def work(_: int) -> TuningResult | None:
            bars = _TrialBars(display)
            try:
                return tune(
                    config,
                    store,
                    trials=trials,
                    placement=placement,
                    observer=bars,
                    stop=lambda: stop() or bool(errors),
                    report=bars.report,
                    train=train,
                )
            except BaseException as error:
                errors.append(error)  # the other threads stop, too
                return None

        results = [work(0)] if at_once == 1 else list(ThreadPoolExecutor(at_once).map(work, range(at_once)))
    if errors:
        raise errors[0]
    assert results[0] is not None
    return results[0]


class _TrialBars:
    """The bars of one trial at a time: when it ends they disappear, and a line stays."""

    def __init__(self, display: RunDisplay) -> None:
        self.display, self.runs = display, list[str]()
        self.stepped, self.finished_epoch = display.stepped, display.finished_epoch

    def started(self, run: str, epochs: int, steps: int, done: int) -> None:
        """A run of the trial begins."""
        self.runs.append(run)
        self.display.started(run, epochs, steps, done)

    def report(self, text: str) -> None:
        """The trial has ended."""
        for run in self.runs:
            self.display.close(run)
        self.runs.clear()
        print_message(text)


def _objective(metric: str) -> str:
    from ..specs.quantities import parse_metrics

    names = parse_metrics(metric, unseen=False)
    if len(names) > 1 or names[0] == "test_accuracy":
        raise UsageError(f"--metric {metric}: tuning takes one metric, and never looks at the test split.")
    return names[0]


def _pairs(result: TuningResult) -> list[tuple[str, str]]:
    default = result.default_value
    return [
        *((name, _value_text(value)) for name, value in result.point.items()),
        (f"best {result.metric}", f"{result.value:.5g}"),
        ("at the defaults", "–" if default is None else f"{default:.5g}"),
        ("trials", f"{result.trials} ({result.pruned} pruned, {result.diverged} diverged)"),
    ]


def _value_text(value: Value) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value).lower()
