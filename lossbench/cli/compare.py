"""`lossbench compare`: several losses under equal conditions; tables, panel figure, paired statistics."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from ..errors import UsageError
from ..files import slug
from ..runs.config import BASE_LOSS, COMPARED_LOSSES, RUN_OPTIONS, RunConfig
from ..runs.config_builder import config_at, lambda_target
from ..runs.outcome import Outcome
from ..runs.result import Status
from ..specs import Value, catalog
from ..specs.expressions import parse_sum
from ._flags import Jobs, Json, Seeds, canonical_losses, flag
from ._options import Request, Storage, run_options
from ._output import command_line, print_warning

if TYPE_CHECKING:
    import numpy as np

    from ..experiments.comparison import ComparisonRow
    from ..reports.document import Document
    from ..reports.figure_files import Compose
    from ..runs.store import Store
    from ..runs.stored_run import StoredRun
    from ._training import Drawing

Losses = Annotated[
    str,
    flag(
        "--losses",
        "Losses or sums, separated by commas; `all` for every one.",
        "Loss",
        callback=canonical_losses,
    ),
]
Baseline = Annotated[
    str | None,
    flag(
        "--baseline",
        "The loss that the others are compared with, seed by seed (default: softmax, else the first).",
        "Comparison",
        callback=canonical_losses,
    ),
]
Metric = Annotated[
    str,
    flag(
        "--metric",
        "Compared by these, separated by commas; `all` for every one. The first is drawn.",
        "Comparison",
    ),
]
Datasets = Annotated[
    str | None, flag("--datasets", "Several data sets, separated by commas (default: --dataset).", "Data")
]
Tuned = Annotated[
    bool, flag("--tuned", "Use the settings that `lossbench tune` found for each loss.", "Comparison")
]
_DEFAULT = ",".join(COMPARED_LOSSES)
_PANEL_LOSSES = 5  # beyond that one column per loss is too narrow to read


@run_options()
def compare(
    request: Request,
    storage: Storage,
    losses: Losses = _DEFAULT,
    seeds: Seeds = "0",
    baseline: Baseline = None,
    metric: Metric = "test_accuracy",
    datasets: Datasets = None,
    tuned: Tuned = False,
    jobs: Jobs = None,
    json: Json = False,
) -> None:
    """Train what is missing; compare with a baseline over paired seeds; draw features and differences."""
    from ..runs.store import Store
    from ..specs.quantities import parse_metrics
    from ._training import publish, run_configs, with_metrics

    metrics = parse_metrics(metric, unseen="unseen" in request.axes)
    store = Store(storage.results)
    configs = _configs(request, losses, seeds, datasets)
    tuning = ""
    if tuned:
        configs, tuning = _tuned_configs(store, configs)
    reference = _baseline(baseline, list(configs))
    all_configs = list(dict.fromkeys(config for group in configs.values() for config in group))
    outcomes = with_metrics(run_configs(all_configs, request, storage, jobs=jobs), store, metrics)
    by_config = {outcome.config: outcome for outcome in outcomes}
    groups = {loss: [by_config[config] for config in group] for loss, group in configs.items()}
    document = _document(groups, outcomes, reference, metrics, tuning)
    name = _name(all_configs, len(configs)) + ("-tuned" if tuned else "")
    publish(store, name, document, outcomes, _drawings(store, name, groups, document), json=json)


def _configs(request: Request, losses: str, seeds: str, datasets: str | None) -> dict[str, list[RunConfig]]:
    """The runs of each loss, by the name that the user gave it."""
    from ..experiments.grid import axes_by_loss, expand, parse_seeds

    names = [
        name
        for part in map(str.strip, losses.split(","))
        for name in (catalog.names("losses") if part == "all" else [part])
    ]
    axes: dict[str, Any] = {**request.axes, "seed": parse_seeds(seeds)}
    if datasets is not None:
        if "dataset" in axes:
            raise UsageError("--dataset and --datasets exclude each other.")
        axes["dataset"] = tuple(dict.fromkeys(name.strip() for name in datasets.split(",")))
    return {loss: expand(loss, own) for loss, own in axes_by_loss(names, axes).items()}


def _tuned_configs(
    store: Store, configs: Mapping[str, list[RunConfig]]
) -> tuple[dict[str, list[RunConfig]], str]:
    """The same runs with the settings that `tune` found, and a sentence on how, which is also a warning where
    the losses were not tuned alike. Raises UsageError for a seed on which a loss was tuned."""
    from ..experiments.tuning_result import check_other_seeds, describe_tuning, read_result

    results = {config: read_result(store, config) for group in configs.values() for config in group}
    check_other_seeds(results)
    text, alike = describe_tuning(list(results.values()))
    if not alike:
        print_warning(text)
    at_points = {
        loss: [_at_point(loss, config, results[config].point) for config in group]
        for loss, group in configs.items()
    }
    return at_points, text


def _at_point(loss: str, config: RunConfig, point: Mapping[str, Value]) -> RunConfig:
    """The same run of a loss at another point."""
    values: dict[str, Any] = {name: getattr(config, name) for name in RUN_OPTIONS}
    values |= {f"{term.name}.{key}": value for term in config.terms for key, value in term.settings}
    if lambda_target(parse_sum(loss)) is not None:
        values["lambda"] = config.value_of("lambda")
    return config_at(loss, values | dict(point))


def _baseline(baseline: str | None, losses: Sequence[str]) -> str:
    if baseline is None:
        return BASE_LOSS if BASE_LOSS in losses else losses[0]
    if baseline not in losses:
        raise UsageError(f"--baseline {baseline} is none of the losses compared: {', '.join(losses)}.")
    return baseline


def _name(configs: Sequence[RunConfig], losses: int) -> str:
    """The name of the files of a comparison of so many losses."""
    label = slug("-".join(dict.fromkeys(config.loss for config in configs)))
    if losses > _PANEL_LOSSES:
        hashed = "" if losses == len(catalog.names("losses")) else f"-{zlib.crc32(label.encode()):08x}"
        label = f"{losses}-losses{hashed}"  # another set of as many losses is another file
    unseen = "".join(["-unseen", *map(str, configs[0].unseen)]) if configs[0].unseen else ""
    return f"compare-{label}-{'-'.join(dict.fromkeys(config.dataset for config in configs))}{unseen}"


def _document(
    groups: Mapping[str, Sequence[Outcome]],
    outcomes: Sequence[Outcome],
    baseline: str,
    metrics: Sequence[str],
    tuning: str,
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
        conditions=" ".join(filter(None, [conditions(outcomes), tuning])),
        metrics=metrics,
        settings=summarize(outcomes),
        against=compare_losses(groups, baseline, metrics, datasets) if paired else (),
    )


def _drawings(
    store: Store, name: str, groups: Mapping[str, Sequence[Outcome]], document: Document
) -> Iterator[Drawing]:
    """For each data set the features of one seed of each loss, and with several seeds the paired
    differences by the first metric that has any; with several data sets the mean ranks."""
    from ..runs.selection import name_differences, one_seed
    from ..runs.stored_run import StoredRun
    from ._training import Drawing

    runs = [
        [StoredRun(store.run(o.config)) for o in outcomes if o.status is Status.DONE]
        for outcomes in groups.values()
    ]
    datasets = list(dict.fromkeys(row.dataset for row in document.settings))
    for dataset in datasets:
        by_loss = [[run for run in group if run.config.dataset == dataset] for group in runs]
        suffix = "" if len(datasets) == 1 else f"-{dataset}"
        first = one_seed(by_loss)
        if not first:
            continue
        name_differences(first)
        kind = "features" if len(first) <= _PANEL_LOSSES else "lambda-grid"
        yield Drawing(store.figures / f"{name}{suffix}.png", kind, first)
        rows = [row for row in document.against if row.dataset == dataset]
        measured = [row.metric for row in rows if row.paired.n]
        if measured:
            shown = list({run.name: run for group in by_loss for run in group}.values())
            compose = partial(_compose_forest, [row for row in rows if row.metric == measured[0]])
            yield Drawing(store.figures / f"{name}-forest{suffix}.png", "forest", shown, compose=compose)
    if len(datasets) > 1 and len(groups) > 1:
        shown = [run for group in runs for run in group]
        yield from _rank_drawings(store, name, groups, document.metrics, datasets, shown)


def _rank_drawings(
    store: Store,
    name: str,
    groups: Mapping[str, Sequence[Outcome]],
    metrics: Sequence[str],
    datasets: Sequence[str],
    runs: Sequence[StoredRun],
) -> Iterator[Drawing]:
    """Mean ranks by the first metric that has a better side, where every loss has it on every data set."""
    from ..experiments.comparison import mean_scores, unique_labels
    from ..specs.quantities import higher_is_better
    from ._training import Drawing

    ranked = [metric for metric in metrics if higher_is_better(metric) is not None]
    scores = mean_scores(groups, ranked[0], datasets) if ranked else None
    if scores is not None:
        labels = unique_labels([group[0].config for group in groups.values()])
        compose = partial(_compose_ranks, labels, scores, ranked[0])
        yield Drawing(store.figures / f"{name}-ranks.png", "critical-difference", runs, compose=compose)


def _compose_forest(rows: Sequence[ComparisonRow]) -> Compose:
    from ..reports.figure_files import compose_forest

    return compose_forest(rows)


def _compose_ranks(labels: Sequence[str], scores: np.ndarray, metric: str) -> Compose:
    from ..reports.figure_files import compose_ranks

    return compose_ranks(labels, scores, metric)
