"""`lossbench tune`: search the settings of a loss, or of several, on the validation split."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

from ..errors import UsageError
from ..experiments.grid import parse_seeds
from ..runs.config import dataset_title
from ..runs.config_builder import config_at
from ..specs import value_text
from ..specs.expressions import split_names
from ._flags import DEFAULT_RESULTS, Json, Results, canonical_losses, flag
from ._loss_search import parse_budget, show_search
from ._options import Request, run_options
from ._output import command_line, print_message, print_pairs, print_warning, settings_document
from ._trials import in_threads, objective

if TYPE_CHECKING:
    from ..experiments.loss_search import SearchResult
    from ..experiments.tuning_result import TuningResult
    from ..runs.store import Store

DEFAULT_TRIALS, DEFAULT_STUDY_SEEDS = 30, (1000, 1001)  # of --loss
DEFAULT_BUDGET, DEFAULT_SEARCH_SEEDS = "10m", (1000, 1001, 1002, 1003, 1004)  # of --losses

LossOfTune = Annotated[
    str | None,
    flag(
        "--loss",
        "The loss to tune, or a sum such as 'softmax + 0.003*center' (default: none).",
        "Loss",
        callback=canonical_losses,
    ),
]
Trials = Annotated[
    int | None,
    flag("--trials", "Trials of --loss; give every loss the same number (default: 30).", "Search", min=1),
]
Losses = Annotated[
    str | None,
    flag(
        "--losses",
        "Instead of --loss: losses to choose the best of, separated by commas, or `all` (default: none).",
        "Loss",
        callback=canonical_losses,
    ),
]
Budget = Annotated[
    str | None, flag("--budget", "Time for --losses, such as 90s, 10m or 2h (default: 10m).", "Search")
]
Metric = Annotated[str, flag("--metric", "The objective, measured on the validation split.", "Search")]
Seeds = Annotated[
    str | None,
    flag(
        "--seeds",
        "Seeds to average over; compare on others (default: 1000,1001; for --losses 1000-1004).",
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
    loss: LossOfTune = None,
    losses: Losses = None,
    trials: Trials = None,
    budget: Budget = None,
    metric: Metric = "val_accuracy",
    seeds: Seeds = None,
    jobs: Jobs = None,
    results: Results = DEFAULT_RESULTS,
    json: Json = False,
) -> None:
    """Find the best settings of a loss, or the best of several losses; run it again to continue."""
    from ..experiments.loss_search import SearchResult
    from ..runs.store import Store

    store = Store(results)
    names = None if losses is None else split_names(losses)
    averaged = None if seeds is None else parse_seeds(seeds)
    result = search(request, store, loss, names, trials, budget, metric, averaged, jobs)
    if isinstance(result, SearchResult):
        show_search(request, result, budget or DEFAULT_BUDGET, results, json=json)
    else:
        _show_study(request, result, store, json=json)


def search(
    request: Request,
    store: Store,
    loss: str | None,
    losses: Sequence[str] | None,
    trials: int | None,
    budget: str | float | None,
    metric: str,
    seeds: tuple[int, ...] | None,
    jobs: int | None,
) -> TuningResult | SearchResult:
    """The settings of a loss by a number of trials, or the best of several losses within a time.

    None is the default. Several trials at a time run from a thread each. Raises UsageError for options of
    both.
    """
    from ..experiments.loss_search import search_losses
    from ..experiments.search_space import StudyConfig, several_losses
    from ..experiments.trials import tune

    store.check_folder()
    if losses is not None:
        if loss is not None or trials is not None:
            raise UsageError("--losses takes a --budget, and excludes --loss and --trials.")
        seconds = parse_budget(DEFAULT_BUDGET if budget is None else budget)
        several = several_losses(losses, request.point, seeds or DEFAULT_SEARCH_SEEDS, objective(metric))
        work = partial(search_losses, several, deadline=time.monotonic() + seconds)
        return in_threads(request, several, store, jobs, sys.maxsize, work)
    if loss is None or budget is not None:
        raise UsageError("tune takes --loss with --trials, or --losses with --budget.")
    trials = DEFAULT_TRIALS if trials is None else trials
    if trials < 1:
        raise UsageError(f"--trials {trials}: at least one trial is needed.")
    config = StudyConfig(loss, request.point, seeds or DEFAULT_STUDY_SEEDS, objective(metric))
    return in_threads(request, config, store, jobs, trials, partial(tune, config, trials=trials))


def _show_study(request: Request, result: TuningResult, store: Store, *, json: bool) -> None:
    from ..experiments.tuning_result import comparable_results, result_path, search_conditions
    from ..reports.document import Drawing, record_figure
    from ..reports.figure_names import figure_path
    from ._publish import draw_figures, finish

    run = result.config
    comparable, problems = comparable_results(store, result)
    for problem in problems:
        print_warning(problem)
    choices = search_conditions(result)
    parts = [run.dataset, run.network, "" if result.metric == "val_accuracy" else result.metric]
    figure = figure_path(store, "budget", (), parts, "png", choices, command_line())
    path = result_path(store, run, result.loss)
    if not json:
        print_pairs(_pairs(result), f"{run.title} on {run.dataset}, {run.network}")

    def drawings() -> Iterator[Drawing]:
        from ..reports.figure_files import compose_budget

        yield Drawing(figure, "budget", compose=compose_budget(comparable))

    files, problems = draw_figures(store, drawings())
    if files:
        title = f"{dataset_title(run.dataset)}, network {run.network}"
        command = command_line()
        record_figure(
            store, figure, "budget", (), made_by="tune", command=command, title=title, choices=choices
        )
    if not json:
        print_message(f"Settings: {path}" + (f"\nFigure: {figure}" if files else ""))
    best = config_at(result.loss, {**request.point, **result.point, "seed": result.config.seed})
    content = settings_document(best) | {
        **result.to_dict(),
        "path": str(path),
        "figure": str(figure) if files else None,
    }
    finish(content, (), problems, json=json)


def _pairs(result: TuningResult) -> list[tuple[str, str]]:
    default = result.default_value
    return [
        *((name, value_text(value)) for name, value in result.point.items()),
        (f"best {result.metric}", f"{result.value:.5g}"),
        ("at the defaults", "–" if default is None else f"{default:.5g}"),
        ("trials", f"{result.trials} ({result.pruned} pruned, {result.diverged} diverged)"),
    ]
