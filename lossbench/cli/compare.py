"""`lossbench compare`: several losses under equal conditions; tables, panel figure, paired statistics."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from ..runs.config import BASE_LOSS, COMPARED_LOSSES, RunConfig, dataset_spec
from ..runs.outcome import Outcome
from ..runs.result import Status
from ..specs import catalog
from ._options import (
    DEFAULT_RESULTS,
    Force,
    Jobs,
    Json,
    Request,
    Results,
    Seeds,
    Snapshots,
    Tensorboard,
    run_options,
)
from ._output import command_line, print_json, print_table, say, warn

if TYPE_CHECKING:
    from ..reports.report import Report
    from ..runs.store import Store

Losses = Annotated[
    str,
    typer.Option(
        "--losses", help="Losses or sums, separated by commas; `all` for every one.", rich_help_panel="Loss"
    ),
]
Baseline = Annotated[
    str | None,
    typer.Option(
        "--baseline",
        help="The loss that the others are compared with, seed by seed (default: softmax, else the first).",
        rich_help_panel="Comparison",
    ),
]
Metric = Annotated[
    str,
    typer.Option(
        "--metric",
        help="Compared by these, separated by commas; `all` for every one. The first is drawn.",
        rich_help_panel="Comparison",
    ),
]
Datasets = Annotated[
    str | None,
    typer.Option(
        "--datasets",
        help="Several data sets, separated by commas (default: --dataset).",
        rich_help_panel="Data",
    ),
]
Tuned = Annotated[
    bool,
    typer.Option(
        "--tuned",
        help="Use the settings that `lossbench tune` found for each loss.",
        rich_help_panel="Comparison",
    ),
]
_DEFAULT = ",".join(COMPARED_LOSSES)
_PANEL_LOSSES = 5  # beyond that one column per loss is too narrow to read


@run_options()
def compare(
    request: Request,
    losses: Losses = _DEFAULT,
    seeds: Seeds = "0",
    baseline: Baseline = None,
    metric: Metric = "test_accuracy",
    datasets: Datasets = None,
    tuned: Tuned = False,
    jobs: Jobs = None,
    results: Results = DEFAULT_RESULTS,
    force: Force = False,
    snapshots: Snapshots = 0,
    tensorboard: Tensorboard = False,
    json: Json = False,
) -> None:
    """Train what is missing; compare with a baseline over paired seeds; draw features and differences."""
    from ..reports.report import document, write_tables
    from ..runs.store import Store
    from ..specs.quantities import parse_metrics
    from ._many import fail_if_any, run_configs, with_metrics

    metrics = parse_metrics(metric, unseen="unseen" in request.axes)
    store = Store(results)
    configs = _configs(request, losses, seeds, datasets)
    configs = _at_best(store, configs) if tuned else configs
    base = _baseline(baseline, list(configs))
    everything = list(dict.fromkeys(config for own in configs.values() for config in own))
    outcomes = with_metrics(
        run_configs(
            everything, store, request, jobs=jobs, force=force, snapshots=snapshots, tensorboard=tensorboard
        ),
        store,
        metrics,
    )
    by_config = {outcome.config: outcome for outcome in outcomes}
    groups = {name: [by_config[config] for config in own] for name, own in configs.items()}
    report = _report(groups, outcomes, base, metrics)
    figures: list[str] = []
    if any(outcome.status is Status.DONE for outcome in outcomes):
        name = _name(everything, list(configs)) + ("-tuned" if tuned else "")
        figures = _draw(store, name, groups, report)
        write_tables(store, name, report)
    if json:
        print_json(
            {
                "runs": [o.result.to_dict() if o.result else None for o in outcomes],
                "figures": figures,
                **document(report),
            }
        )
    else:
        _show(report)
        say("   ".join([f"Tables: {store.tables}", *(f"Figure: {path}" for path in figures)]))
    fail_if_any(outcomes)


def _show(report: Report) -> None:
    from ..reports.report import against, against_title, comparison

    print_table(comparison(report.rows, report.metrics))
    if report.contests:
        print_table(against(report.contests), against_title(report))


def _configs(request: Request, losses: str, seeds: str, datasets: str | None) -> dict[str, list[RunConfig]]:
    """The runs of each loss, by the name that the user gave it."""
    from ..experiments.grid import axes_by_loss, expand, parse_seeds

    names = list(catalog.names("losses")) if losses == "all" else [n.strip() for n in losses.split(",")]
    axes: dict[str, Any] = {**request.axes, "seed": parse_seeds(seeds)}
    if datasets is not None:
        if "dataset" in axes:
            raise UsageError("--dataset and --datasets exclude each other.")
        axes["dataset"] = tuple(dict.fromkeys(name.strip() for name in datasets.split(",")))
    return {loss: expand(loss, own) for loss, own in axes_by_loss(names, axes).items()}


def _at_best(store: Store, configs: dict[str, list[RunConfig]]) -> dict[str, list[RunConfig]]:
    """The same runs at the points that searches found; a warning where they were searched unequally."""
    searched = {name: _tuned(store, name, own) for name, own in configs.items()}
    budgets = sorted(set().union(*(trials for _, trials in searched.values())))
    if len(budgets) > 1:
        warn(f"the losses were tuned with unequal budgets: {', '.join(map(str, budgets))} trials.")
    return {name: own for name, (own, _) in searched.items()}


def _tuned(store: Store, loss: str, configs: Sequence[RunConfig]) -> tuple[list[RunConfig], set[int]]:
    """The same runs at the point that a search found for them, and the trials that it took."""
    from ..experiments.tuning_result import read_result
    from ..runs.config_builder import lambda_target, make_config
    from ..specs.expressions import parse_sum

    found, trials = [], set()
    for config in configs:
        result = read_result(store, config)
        point = {"lr": config.lr, **result.point}
        if lambda_target(parse_sum(loss)) is not None:
            point.setdefault("lambda", config.value_of("lambda"))
        kept = {key: value for key, value in config.to_dict().items() if key not in ("terms", "lr")}
        lam, lr = point.pop("lambda", None), point.pop("lr")
        lam = None if lam is None else float(lam)
        given = {f"{term.name}.{key}": value for term in config.terms for key, value in term.settings}
        found.append(make_config(loss=loss, lam=lam, settings=given | point, lr=lr, **kept))
        trials.add(result.trials)
    return found, trials


def _baseline(given: str | None, names: Sequence[str]) -> str:
    if given is None:
        return BASE_LOSS if BASE_LOSS in names else names[0]
    if given not in names:
        raise UsageError(f"--baseline {given} is none of the losses compared: {', '.join(names)}.")
    return given


def _name(configs: Sequence[RunConfig], names: Sequence[str]) -> str:
    label = "-".join(dict.fromkeys(config.loss for config in configs))
    label = re.sub("[^A-Za-z0-9+.-]+", "-", label)
    if len(names) > _PANEL_LOSSES:
        which = "" if len(names) == len(catalog.names("losses")) else f"-{zlib.crc32(label.encode()):08x}"
        label = f"{len(names)}-losses{which}"  # another set of as many losses is another file
    unseen = "".join(["-unseen", *map(str, configs[0].unseen)]) if configs[0].unseen else ""
    return f"compare-{label}-{'-'.join(dict.fromkeys(config.dataset for config in configs))}{unseen}"


def _report(
    groups: Mapping[str, Sequence[Outcome]],
    outcomes: Sequence[Outcome],
    baseline: str,
    metrics: Sequence[str],
) -> Report:
    from ..experiments.comparison import contests
    from ..experiments.summary import summarize
    from ..reports.report import Report, conditions

    configs = [outcome.config for outcome in outcomes]
    done = [outcome for outcome in outcomes if outcome.status is Status.DONE]
    datasets = list(dict.fromkeys(config.dataset for config in configs))
    several = len(groups) > 1 and len({config.seed for config in configs}) > 1
    data = ", ".join(dataset_spec(name).title for name in datasets)
    return Report(
        title=f"{data}: {' · '.join(dict.fromkeys(config.title for config in configs))}",
        command=command_line(),
        stated=conditions([o.config for o in done], [o.result for o in done if o.result]) if done else "",
        rows=summarize(outcomes),
        metrics=metrics,
        contests=contests(groups, baseline, metrics, datasets) if several else (),
    )


def _draw(store: Store, name: str, groups: Mapping[str, Sequence[Outcome]], report: Report) -> list[str]:
    """For each data set the features of the first seed of each loss, and with several seeds the paired
    differences by the first metric that has any; with several data sets the mean ranks."""
    from ..reports.figure_files import draw_features, draw_forest, draw_grid

    every = list(dict.fromkeys(o.config.dataset for outcomes in groups.values() for o in outcomes))
    done = {name: [o for o in outcomes if o.status is Status.DONE] for name, outcomes in groups.items()}
    paired = [c for c in report.contests if any(entry.comparison.n for entry in c.entries)]
    figures = []
    for dataset in every:
        own = [[store.run(o.config) for o in found if o.config.dataset == dataset] for found in done.values()]
        runs = list({run.name: run for found in own for run in found}.values())
        if not runs:
            continue
        suffix = "" if len(every) == 1 else f"-{dataset}"
        shown = list({found[0].name: found[0] for found in own if found}.values())
        draw = draw_features if len(shown) <= _PANEL_LOSSES else draw_grid
        figures.append(draw(shown, store.figures / f"{name}{suffix}.png"))
        for contest in [c for c in paired if c.baseline.dataset == dataset][:1]:
            figures.append(draw_forest(contest, store.figures / f"{name}-forest{suffix}.png", runs=runs))
    if len(every) > 1 and len(groups) > 1:
        figures += _draw_ranks(store, name, groups, report.metrics, every)
    return [str(figure) for figure in figures]


def _draw_ranks(
    store: Store,
    name: str,
    groups: Mapping[str, Sequence[Outcome]],
    metrics: Sequence[str],
    datasets: Sequence[str],
) -> list[Path]:
    """Mean ranks by the first metric that has a better side, where every loss has it on every data set."""
    from ..experiments.comparison import labels, scores_by_dataset
    from ..reports.figure_files import draw_ranks
    from ..specs.quantities import higher_is_better

    for metric in [metric for metric in metrics if higher_is_better(metric) is not None][:1]:
        scores = scores_by_dataset(groups, metric, datasets)
        if scores is not None:
            runs = [
                store.run(o.config)
                for outcomes in groups.values()
                for o in outcomes
                if o.status is Status.DONE
            ]
            titles = labels([outcomes[0].config for outcomes in groups.values()])
            path = store.figures / f"{name}-ranks.png"
            return [draw_ranks(titles, scores, path, metric=metric, runs=runs)]
    return []
