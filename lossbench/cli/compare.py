"""`lossbench compare`: several losses under equal conditions; tables, panel figure, paired statistics."""

from __future__ import annotations

import dataclasses
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from ..runs.config import BASE_LOSS, COMPARED_LOSSES, RunConfig
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
    from ..reports.document import Document, WrittenFile
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
    from ..reports.result_tables import write_tables
    from ..reports.site import write_index
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
    document = _document(groups, outcomes, base, metrics)
    if any(outcome.status is Status.DONE for outcome in outcomes):
        name = _name(everything, list(configs)) + ("-tuned" if tuned else "")
        document = dataclasses.replace(document, files=_draw(store, name, groups, document))
        write_tables(store, name, document)
        write_index(store)
    figures = [str(store.root / file.path) for file in document.files]
    if json:
        runs = [o.result.to_dict() if o.result else None for o in outcomes]
        print_json({**document.to_dict(), "runs": runs, "figures": figures})
    else:
        _show(document)
        say("   ".join([f"Tables: {store.tables}", *(f"Figure: {path}" for path in figures)]))
    fail_if_any(outcomes)


def _show(document: Document) -> None:
    from ..reports.result_tables import differences_caption, differences_table, results_table

    print_table(results_table(document.settings, document.metrics))
    if document.against:
        print_table(differences_table(document.against), differences_caption(document.against))


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


def _document(
    groups: Mapping[str, Sequence[Outcome]],
    outcomes: Sequence[Outcome],
    baseline: str,
    metrics: Sequence[str],
) -> Document:
    from ..experiments.comparison import compare_losses
    from ..experiments.summary import summarize
    from ..reports.document import Document, comparison_title, conditions

    configs = [outcome.config for outcome in outcomes]
    datasets = list(dict.fromkeys(config.dataset for config in configs))
    paired = len(groups) > 1 and len({config.seed for config in configs}) > 1
    return Document(
        kind="compare",
        title=comparison_title(configs),
        command=command_line(),
        conditions=conditions(outcomes),
        metrics=metrics,
        settings=summarize(outcomes),
        against=compare_losses(groups, baseline, metrics, datasets) if paired else (),
    )


def _draw(
    store: Store, name: str, groups: Mapping[str, Sequence[Outcome]], document: Document
) -> list[WrittenFile]:
    """For each data set the features of the first seed of each loss, and with several seeds the paired
    differences by the first metric that has any; with several data sets the mean ranks."""
    from ..reports.document import written_file
    from ..reports.figure_files import compose_forest, draw, write_figure
    from ..runs.stored_run import StoredRun

    runs = [
        [StoredRun(store.run(o.config)) for o in outcomes if o.status is Status.DONE]
        for outcomes in groups.values()
    ]
    datasets = list(dict.fromkeys(row.dataset for row in document.settings))
    files = []
    for dataset in datasets:
        by_loss = [[run for run in group if run.config.dataset == dataset] for group in runs]
        suffix = "" if len(datasets) == 1 else f"-{dataset}"
        first = list({group[0].name: group[0] for group in by_loss if group}.values())
        if not first:
            continue
        kind = "features" if len(first) <= _PANEL_LOSSES else "lambda-grid"
        path = draw(kind, first, store.figures / f"{name}{suffix}.png")
        files.append(written_file(store, path, kind, first))
        rows = [row for row in document.against if row.dataset == dataset]
        measured = [row.metric for row in rows if row.paired.n]
        if measured:
            shown = list({run.name: run for group in by_loss for run in group}.values())
            compose = compose_forest([row for row in rows if row.metric == measured[0]])
            path = write_figure(compose, store.figures / f"{name}-forest{suffix}.png", shown)
            files.append(written_file(store, path, "forest", shown))
    if len(datasets) > 1 and len(groups) > 1:
        files += _draw_ranks(store, name, groups, document.metrics, datasets)
    return files


def _draw_ranks(
    store: Store,
    name: str,
    groups: Mapping[str, Sequence[Outcome]],
    metrics: Sequence[str],
    datasets: Sequence[str],
) -> list[WrittenFile]:
    """Mean ranks by the first metric that has a better side, where every loss has it on every data set."""
    from ..experiments.comparison import mean_scores, unique_labels
    from ..reports.document import written_file
    from ..reports.figure_files import compose_ranks, write_figure
    from ..runs.stored_run import StoredRun
    from ..specs.quantities import higher_is_better

    ranked = [metric for metric in metrics if higher_is_better(metric) is not None]
    scores = mean_scores(groups, ranked[0], datasets) if ranked else None
    if scores is None:
        return []
    outcomes = [o for group in groups.values() for o in group if o.status is Status.DONE]
    runs = [StoredRun(store.run(outcome.config)) for outcome in outcomes]
    labels = unique_labels([group[0].config for group in groups.values()])
    path = write_figure(compose_ranks(labels, scores, ranked[0]), store.figures / f"{name}-ranks.png", runs)
    return [written_file(store, path, "critical-difference", runs)]
