"""`lossbench tune`: search a loss's settings on the validation split."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

from ..errors import LossbenchError, UsageError
from ..runs.config import dataset_title
from ..runs.config_builder import config_at
from ..runs.result import Status
from ..specs import Value
from ._flags import DEFAULT_RESULTS, Json, Results, canonical_losses, flag
from ._options import Request, run_options
from ._output import (
    command_line,
    print_json,
    print_message,
    print_pairs,
    print_warning,
    settings_document,
)
from ._trials import in_threads, objective

if TYPE_CHECKING:
    from ..experiments.search_space import StudyConfig
    from ..experiments.tuning_result import TuningResult
    from ..reports.figure_files import Compose
    from ..runs.store import Store

LossOfTune = Annotated[
    str | None,
    flag(
        "--loss",
        "A loss, or a sum such as 'softmax + 0.003*center'; see `lossbench losses` (default: none).",
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
        "Instead of --loss: losses separated by commas, or `all`; finds the best (default: none).",
        "Loss",
        callback=canonical_losses,
    ),
]
Budget = Annotated[
    str | None,
    flag("--budget", "Time for --losses, such as 90s, 10m or 2h (default: 10m).", "Search"),
]
Metric = Annotated[str, flag("--metric", "The objective, measured on the validation split.", "Search")]
Seeds = Annotated[
    str | None,
    flag(
        "--seeds",
        "Seeds of the mean; compare with others afterwards (default: 1000,1001; for --losses 1000-1004).",
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
    """Find the best settings of a loss, or the best of several losses; the same command goes on."""
    from ..experiments.grid import parse_seeds
    from ..experiments.search_space import StudyConfig
    from ..runs.store import Store
    from ._loss_search import tune_losses

    if losses is not None:
        if loss is not None or trials is not None:
            raise UsageError("--losses takes a --budget, and excludes --loss and --trials.")
        chosen = parse_seeds("1000-1004" if seeds is None else seeds)
        tune_losses(request, losses, budget or "10m", objective(metric), chosen, jobs, results, json=json)
    elif loss is None or budget is not None:
        raise UsageError("tune takes --loss with --trials, or --losses with --budget.")
    else:
        chosen = parse_seeds("1000,1001" if seeds is None else seeds)
        config = StudyConfig(loss, request.point, chosen, objective(metric))
        _tune_loss(request, config, Store(results), trials or 30, jobs, json=json)


def _tune_loss(
    request: Request, config: StudyConfig, store: Store, trials: int, jobs: int | None, *, json: bool
) -> None:
    from ..experiments.tuning_result import read_results, result_path
    from ..reports.document import Drawing, record_figure
    from ._training import draw_figures, fail_if_any

    result = run_study(request, config, store, trials, jobs)
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


def run_study(
    request: Request, config: StudyConfig, store: Store, trials: int, jobs: int | None
) -> TuningResult:
    """One trial after another, or several at a time, each from a thread of its own."""
    from ..experiments.study import tune

    return in_threads(request, config.default_run, store, jobs, trials, partial(tune, config, trials=trials))


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
